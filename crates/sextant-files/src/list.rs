//! Lists of the files that are ours: a hash and a name a line.

use crate::{FileError, Lock, append_line, sha256};
use std::path::{Path, PathBuf};

/// The place of a file in a list.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) list: PathBuf,
    pub(crate) name: String,
}

impl Entry {
    /// Says that the finished file, which still has a temporary name, is ours.
    pub(crate) fn note(&self, finished: &Path) -> Result<(), FileError> {
        append(&self.list, &sha256(finished)?, &self.name)
    }
}

/// Adds to a list, one process after another.
pub(crate) fn append(list: &Path, hash: &str, name: &str) -> Result<(), FileError> {
    let _lock = Lock::wait_beside(list)?;
    let line = format!("{hash}  {name}");
    let is_new = !std::fs::read_to_string(list).is_ok_and(|text| text.lines().any(|l| l == line));
    if is_new { append_line(list, line.as_bytes()) } else { Ok(()) }
}
