//! Why a file or folder cannot be used.

use std::path::{Path, PathBuf};

/// What was tried with a file or folder, and why it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refuses.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, ….
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something is in the way, or the path cannot be used as it is.
    #[error("cannot {action} {}: {problem}", path.display())]
    Unusable {
        /// What was tried: `read`, `write`, ….
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Another process writes there now.
    #[error("cannot write {}: {holder} is writing it; wait until that has ended, or name another place", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
        /// Who holds the lock: `process 1234`.
        holder: String,
    },
}

impl FileError {
    /// Turns an I/O error into one that says what was tried and where.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
