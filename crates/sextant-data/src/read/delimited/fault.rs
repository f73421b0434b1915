//! Faults that end the reading of a delimited file.

use crate::error::{DataError, FaultKind, QuoteError};
use std::path::Path;

/// Why the reading of a file cannot continue.
#[derive(Debug)]
pub(super) enum Fault {
    Read(std::io::Error),
    RowTooLong {
        line: u64,
        limit: usize,
    },
    Quote {
        /// The line on which the cell opened.
        line: u64,
        cell: usize,
        backslash: bool,
        kind: FaultKind,
    },
}

impl Fault {
    /// The error about the file; `names` are the names of its columns, if they are known.
    pub(super) fn into_error(self, path: &Path, names: &[String]) -> DataError {
        match self {
            Self::Read(source) => DataError::read(path, source),
            Self::RowTooLong { line, limit } => {
                DataError::RowTooLong { path: path.to_owned(), line, limit }
            }
            Self::Quote { line, cell, backslash, kind } => {
                let column = names.get(cell).filter(|name| !name.is_empty()).cloned();
                let path = path.to_owned();
                DataError::Quote(Box::new(QuoteError { path, line, cell, column, backslash, kind }))
            }
        }
    }
}
