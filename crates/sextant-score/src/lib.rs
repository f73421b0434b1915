//! Scores pairs in bulk: record batches and files of any size.
//!
//! The answers come from [`sextant_infer`], which knows neither tables nor files of rows; this crate
//! brings both to it.
//!
//! [`score_batch`] is the one way in which tables are scored, whatever they were read from: the pair's
//! columns are looked at, every other column passes through, and the prediction's columns are
//! appended. [`score_file`] streams a file through it in windows, in bounded memory; the output is
//! written beside its path and renamed when whole. A row that cannot be read or encoded is an error
//! that names its line, or is passed over and counted, as the caller says.

mod batch;
mod file;

pub use batch::{
    ADDED_COLUMNS, BadRow, BatchError, EncodedBatch, RowFault, added_fields, append, score_batch,
    scored_schema,
};
pub use file::{ScoreOptions, ScoreReport, score_file};

use sextant_data::{DataError, RowUnit};
use sextant_model::ModelError;

/// Why a file cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// Reading or writing failed, or a row is bad.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model refuses.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A row has no text that the tokenizer knows, the model lacks its task, or has no answer to it.
    #[error("{path} {unit} {line}: {source}")]
    Row {
        /// The input.
        path: String,
        /// `line`, or `row` for Parquet.
        unit: RowUnit,
        /// The row's line or number.
        line: u64,
        /// What is wrong.
        source: RowFault,
    },
    /// The observer broke off.
    #[error("interrupted; no output was kept")]
    Interrupted,
}
