//! Append predictions to an Arrow table in memory, which may come from a data frame, a query engine or a
//! Parquet file. Columns that the model does not read pass through untouched.
//!
//! ```sh
//! cargo run --example score_a_table
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, cast::AsArray};
use common::{Failure, market, small_model};
use sextant_core::Task;
use sextant_score::score_batch;
use std::sync::Arc;

fn main() -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let scorer = small_model(&market()?, place.path())?;
    let column = |values: [&str; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let table = RecordBatch::try_from_iter([
        ("sku", Arc::new(Int64Array::from(vec![17, 18, 19])) as ArrayRef),
        ("left", column(["red sofa", "red sofa", "garden hose 20 m"])),
        ("right", column(["Sofas & Couches", "Garden Hoses", "Garden Hoses"])),
    ])?;

    // The table has no column `task`, so the task that is named here applies to all of its rows.
    let scored = score_batch(&scorer, table, Some(Task::QueryType))?;
    let names: Vec<_> = scored.schema().fields().iter().map(|field| field.name().clone()).collect();
    println!("{}", names.join(", "));
    let labels = scored.column_by_name("predicted_label").ok_or("no labels")?.as_string::<i32>();
    let skus = scored.column_by_name("sku").ok_or("no numbers")?.clone();
    for (row, label) in labels.iter().enumerate() {
        println!("row {row}, {}: {}", skus.slice(row, 1).len(), label.unwrap_or("none"));
    }
    Ok(())
}
