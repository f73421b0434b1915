//! Scores pairs in bulk: record batches and files of any size.
//!
//! The answers come from [`sextant_infer`], which knows neither tables nor files of rows; this crate adds both.
//!
//! [`score_batch`] scores a table, whatever it was read from: it reads the columns of the pair, passes every
//! other column through, and appends the columns of the prediction. [`score_file`] scores a file in the same
//! way, in windows and in bounded memory; the output is written beside its path and renamed when it is whole. A
//! row that cannot be read or encoded is an error that names its line, or is skipped and counted, as the caller
//! chooses.

mod batch;
mod file;
mod predictions;

pub use batch::{
    ADDED_COLUMNS, BadRow, BatchError, EncodedBatch, RowFault, added_fields, append, predict_batch,
    score_batch, scored_schema,
};
pub use file::{ScoreOptions, ScoreReport, score_file};
pub use predictions::write_predictions;

use sextant_data::{DataError, RowUnit};
use sextant_model::ModelError;

/// Why a file cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// Reading or writing failed, or a row is invalid.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A row has no text that the tokenizer knows, the model was not trained for its task, or the model's
    /// answer to it is not finite.
    #[error("{path} {unit} {line}: {source}")]
    Row {
        /// The path of the input.
        path: String,
        /// What `line` counts: `line`, or `row` for Parquet.
        unit: RowUnit,
        /// The line or the number of the row.
        line: u64,
        /// What is wrong.
        source: RowFault,
    },
    /// The observer stopped the scoring.
    #[error("interrupted; no output was kept")]
    Interrupted,
}
