//! A metric of your own, with an interval. A metric that is a mean over rows needs only one number per row:
//! here, how far the expected grade is from the true one.
//!
//! ```sh
//! cargo run --example add_a_metric
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, answered, market, small_model};
use sextant_core::Task;
use sextant_eval::{Bootstrap, Scored, row_mean};

/// The absolute error of the expected grade, from 0 to 2.
fn absolute_error(row: &Scored<'_>) -> f64 {
    (f64::from(row.prediction.expected_grade()) - row.grade.index() as f64).abs()
}

fn main() -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let dataset = market()?;
    let scorer = small_model(&dataset, place.path())?;
    let rows = answered(&scorer, &dataset)?;
    for task in Task::ALL {
        let rows: Vec<_> = rows.iter().filter(|row| row.task == task).collect();
        let errors: Vec<f64> = rows.iter().map(|row| absolute_error(row)).collect();
        // A resample contains all rows of a query or none of them.
        let groups: Vec<_> = rows.iter().map(|row| row.group).collect();
        let found = row_mean(&errors, &groups, &Bootstrap::default())?;
        let interval = found
            .mean
            .interval
            .map_or_else(String::new, |i| format!(" ({:.3} to {:.3})", i.low, i.high));
        println!("{task}: mean absolute error {:.3}{interval}", found.mean.value);
    }
    Ok(())
}
