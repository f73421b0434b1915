//! Watch a run and end it early. Libraries print nothing: they report events to an observer, which may
//! return `Break`. The run then ends in an orderly way, with a checkpoint from which it can go on.
//!
//! ```sh
//! cargo run --example watch_a_run
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, market, recipe};
use sextant_files::Existing;
use sextant_model::Device;
use sextant_train::{
    Event, Observer, Observers, Plan, Prepared, RunFolder, Start, TrainError, Trainer,
};
use std::ops::ControlFlow;

/// Ends the run after the given number of steps.
struct Budget {
    steps: u64,
}

impl Observer for Budget {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Step(step) => {
                if step.step % 10 == 0 {
                    println!("step {} of {}: loss {:.3}", step.step, step.steps, step.loss);
                }
                if step.step >= self.steps {
                    return ControlFlow::Break(());
                }
            }
            Event::Dev(look) => println!("dev after step {}: {:.3}", look.step, look.value),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn main() -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let (dataset, folder) = (market()?, RunFolder(place.path().join("run")));
    let start = |start| -> Result<Trainer, Failure> {
        let plan = Plan::new(recipe(&[])?, |name| Err(format!("no backbone `{name}` here")))?;
        let prepared = Prepared::new(plan, &dataset, &Device::cpu())?;
        Ok(Trainer::new(prepared, folder.clone(), start, Existing::Refuse)?)
    };
    match start(Start::New)?.run(&mut Budget { steps: 25 }) {
        Err(TrainError::Interrupted { step, steps }) => println!("stopped at {step} of {steps}"),
        other => println!("not stopped: {:?}", other?),
    }
    // The resumed run ends with the same weights, bit for bit, as if nothing had stopped it.
    let summary = start(Start::Resume)?.run(&mut Observers::default())?;
    println!("went on to the end: {} steps", summary.steps);
    Ok(())
}
