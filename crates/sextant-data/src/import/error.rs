//! Why an import failed: each error names the file, the row or the key of the map, and how to mend it.

use crate::{DataError, RowUnit};
use std::path::PathBuf;

/// Why tables could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The map cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The map.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The map is not TOML, has an unknown key or lacks one.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The map.
        path: PathBuf,
        /// The error of the parser, which names line and key.
        source: Box<toml::de::Error>,
    },
    /// A value of the map cannot be used.
    #[error("key `{key}` of the map: {problem}")]
    Key {
        /// The key, with the names of its tables before it.
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A row cannot be imported.
    #[error("{} {unit} {row}{}: {problem}", path.display(), column.as_ref().map(|name| format!(", column `{name}`")).unwrap_or_default())]
    Row {
        /// The file.
        path: PathBuf,
        /// Whether `row` counts lines or rows.
        unit: RowUnit,
        /// The row, from 1.
        row: u64,
        /// The column at fault.
        column: Option<String>,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// A file of judgements cannot be read.
    #[error(transparent)]
    Exchange(#[from] crate::exchange::ExchangeError),
    /// A table cannot be read, or the rows cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The texts of joined tables could not be kept in a temporary file.
    #[error("the temporary file for joined tables in {}: {source}; free room there", folder.display())]
    Spill {
        /// Where the file is.
        folder: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The observer asked for an end.
    #[error("stopped")]
    Stopped,
}

impl ImportError {
    pub(super) fn key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Key { key: key.into(), problem: problem.into() }
    }
}
