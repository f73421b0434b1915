//! Test whether the difference between two models is more than chance. Both answer the same rows, which are
//! resampled by query:
//!
//! ```sh
//! cargo run --example compare_two_models
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, answered, market, recipe, train};
use sextant_eval::{Bootstrap, compare};
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::Device;

fn main() -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let dataset = market()?;
    let mut answers = Vec::new();
    for steps in [20, 100] {
        let recipe = recipe(&[&format!("schedule.steps={steps}")])?;
        let bundle = train(recipe, &dataset, place.path().join(steps.to_string()))?;
        let scorer = Scorer::open(&bundle, &Device::cpu(), ScorePrecision::F32)?;
        answers.push(answered(&scorer, &dataset)?);
    }
    let found = compare(&answers[0], &answers[1], &Bootstrap::default())?;
    let accuracy = found.accuracy;
    println!("after 20 steps {:.3}, after 100 steps {:.3}", accuracy.first, accuracy.second);
    println!("difference: {:+.3}", accuracy.difference.value);
    if let Some(interval) = accuracy.difference.interval {
        println!("95 % interval: {:+.3} to {:+.3}", interval.low, interval.high);
    }
    println!("McNemar's test: p = {:.4}", found.mcnemar.exact_p);
    Ok(())
}
