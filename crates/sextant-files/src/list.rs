//! Lists of the files that this program wrote, with a hash and a name in each line.

use crate::{FileError, Lock, append_line, sha256};
use std::path::{Path, PathBuf};

/// A file's entry in a list, which is written when the file is finished.
#[derive(Debug)]
pub(crate) struct ListEntry {
    pub(crate) list: PathBuf,
    pub(crate) name: String,
}

impl ListEntry {
    /// Adds the hash of the finished file, which still has its temporary name, to the list.
    pub(crate) fn note(&self, finished: &Path) -> Result<(), FileError> {
        append(&self.list, &sha256(finished)?, &self.name)
    }
}

/// Adds a line to a list, if it is not there yet. A lock keeps other processes from writing the list meanwhile.
pub(crate) fn append(list: &Path, hash: &str, name: &str) -> Result<(), FileError> {
    let _lock = Lock::wait_beside(list)?;
    let line = format!("{hash}  {name}");
    let is_new = !std::fs::read_to_string(list).is_ok_and(|text| text.lines().any(|l| l == line));
    if is_new { append_line(list, line.as_bytes()) } else { Ok(()) }
}
