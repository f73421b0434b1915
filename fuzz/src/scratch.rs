//! A folder for the files of one process, in memory if the system has a folder there.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that is removed when the value is dropped.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes a folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new() -> std::io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        made.map(Self)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file of these bytes, in place of a file of the same name.
    ///
    /// # Panics
    /// The folder is full: an input could not be tried, which must not pass for a success.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Removes a file that an entry point made.
    pub(crate) fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.path().join(name));
    }
}
