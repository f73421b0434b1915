//! What can be wrong with a file of judgements.

use crate::DataError;
use std::path::{Path, PathBuf};

/// Why judgements could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// A line is not in the format.
    #[error("{} line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// Rows cannot be written in a format.
    #[error("row {row}: {problem}")]
    Row {
        /// The row, from 1.
        row: u64,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The name of what is written cannot be.
    #[error("the name `{name}` {problem}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The file cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl ExchangeError {
    pub(super) fn line(path: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self::Line { path: path.to_owned(), line, problem: problem.into() }
    }
}
