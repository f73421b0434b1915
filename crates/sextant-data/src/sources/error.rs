//! What can be wrong with a source file.

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
    /// The system cannot read a file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
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
    /// A table without a header, or one that is no table.
    #[error(transparent)]
    Table(#[from] crate::DataError),
    /// A file as a whole is not in its format.
    #[error("{}: {problem}; use the file as docs/public-six.md describes it, unchanged", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}
