//! The errors of reading and writing files and folders.

use std::path::{Path, PathBuf};

/// An operation on a file or folder that failed, and the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// An operation of the file system fails.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The action that was tried: `read`, `write`, ….
        action: &'static str,
        /// The path of the file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Something at the path may not be replaced, or the path cannot be used for another reason.
    #[error("cannot {action} {}: {problem}", path.display())]
    Unusable {
        /// The action that was tried: `read`, `write`, ….
        action: &'static str,
        /// The path of the file or folder.
        path: PathBuf,
        /// What is wrong, and how to fix it.
        problem: String,
    },
    /// Another process is writing to the path.
    #[error("cannot write {}: {holder} is writing it; wait until that has ended, or name another place", path.display())]
    InUse {
        /// The path of the file or folder.
        path: PathBuf,
        /// The holder of the lock: `process 1234`.
        holder: String,
    },
}

impl FileError {
    /// A function that turns an I/O error into a [`FileError`] with the action and the path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
