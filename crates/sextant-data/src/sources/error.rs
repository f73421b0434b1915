//! Errors of source files.

use std::path::PathBuf;

/// Why the public data sets could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Files are absent.
    #[error(
        "{}: {} source file(s) missing; obtain them (docs/public-six.md says where) or point --source at the folder that holds them:\n  {}",
        folder.display(), files.len(), files.join("\n  ")
    )]
    Missing {
        /// The folder given as the source.
        folder: PathBuf,
        /// The absent files, relative to the folder.
        files: Vec<String>,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// One line is not in the file's format.
    #[error("{} line {line}: {problem}; use the file as docs/public-six.md describes it, unchanged", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A file has no header, or is not a table.
    #[error(transparent)]
    Table(#[from] crate::DataError),
    /// A file as a whole is not in the expected format.
    #[error("{}: {problem}; use the file as docs/public-six.md describes it, unchanged", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}
