//! Train a model from code, as `sextant train` does from a recipe, and evaluate it:
//!
//! ```sh
//! cargo run --example train_from_code
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, answered, market, recipe};
use sextant_eval::{EvalOptions, evaluate};
use sextant_files::Existing;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use sextant_train::{Observers, Plan, Prepared, RunFolder, Start, Trainer};

fn main() -> Result<(), Failure> {
    let device = Device::cpu();
    let dataset = market()?;

    // A recipe is what the user typed. A plan is a checked recipe: all mistakes are reported at once, each
    // with its key.
    let recipe = recipe(&["seed=7", "model.routing={ prefix = false, heads = \"per_task\" }"])?;
    let plan = Plan::new(recipe, |name| Err(format!("no backbone `{name}` here")))?;

    // This encodes the rows and gives the model its initial weights.
    let prepared = Prepared::new(plan, &dataset, &device)?;

    let place = tempfile::tempdir()?;
    let folder = RunFolder(place.path().join("run"));
    let trainer = Trainer::new(prepared, folder.clone(), Start::New, Existing::Refuse)?;
    let summary = trainer.run(&mut Observers::default())?;
    println!(
        "{} steps over {} rows, {:.0} rows/s",
        summary.steps,
        summary.train_rows,
        summary.rows as f64 / summary.seconds
    );

    // The trained model is a bundle: a folder that is complete in itself.
    let scorer = Scorer::open(&folder.bundle(), &device, ScorePrecision::F32)?;
    let report = evaluate(&answered(&scorer, &dataset)?, &EvalOptions::full())?;
    print!("{}", report.render_text());
    Ok(())
}
