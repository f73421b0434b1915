//! Divide rows into splits, and check that nothing of the test rows is among the rows that a model learns
//! from:
//!
//! ```sh
//! cargo run --example split_and_check
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, market};
use sextant_core::Split;
use sextant_data::check;
use sextant_data::split::{Shares, SplitOptions, split_rows};

fn main() -> Result<(), Failure> {
    // All rows in one list, without a split.
    let dataset = market()?;
    let rows: Vec<_> = Split::ALL.into_iter().flat_map(|s| dataset.part(s).to_vec()).collect();

    // A careless split: every fifth row is a test row, whatever it shares with other rows.
    let mut careless = sextant_data::Dataset::default();
    for (index, row) in rows.iter().enumerate() {
        let split = if index % 5 == 0 { Split::Test } else { Split::Train };
        careless.part_mut(split).push(row.clone());
    }
    println!("every fifth row: sound is {}", check(&careless).is_ok());

    // Rows that share a group, or an entity with few rows, stay together.
    let shares = Shares::new(0.7, 0.1, 0.2)?;
    let options = SplitOptions { seed: 7, shares, max_component: 0.05 };
    let (split, report) = split_rows(rows, &options);
    println!("split by what rows share: sound is {}\n{report}", check(&split).is_ok());
    Ok(())
}
