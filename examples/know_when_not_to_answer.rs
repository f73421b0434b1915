//! Calibrate a model on dev rows, and see on test rows how many of them it answers, and how well, if it must
//! be sure of an answer:
//!
//! ```sh
//! cargo run --example know_when_not_to_answer
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, answered, market, small_model};
use sextant_eval::{Scored, abstention_curve, at_temperature, fit_temperature};

fn main() -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let mut dataset = market()?;
    let scorer = small_model(&dataset, place.path())?;

    // Choices are made on dev rows: here, that of the temperature that calibrates the probabilities.
    std::mem::swap(&mut dataset.dev, &mut dataset.test);
    let temperature = fit_temperature(&answered(&scorer, &dataset)?);
    std::mem::swap(&mut dataset.dev, &mut dataset.test);
    println!("temperature {temperature:.2}");

    let rows: Vec<_> = answered(&scorer, &dataset)?
        .into_iter()
        .map(|row| Scored { prediction: at_temperature(row.prediction, temperature), ..row })
        .collect();
    for point in abstention_curve(&rows, 5) {
        println!(
            "at a confidence of {:.2} or more: {:3.0} % of the rows answered, {:3.0} % of them right",
            point.threshold,
            100.0 * point.coverage,
            100.0 * point.accuracy
        );
    }
    Ok(())
}
