//! A mark for folders whose files belong together and are replaced one by one.

use crate::disk;
use crate::{AtomicFile, Existing, FileError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The hidden file that exists in a folder while files that belong together are replaced.
const NAME: &str = ".sextant-unfinished";

/// Marks a folder whose files are being replaced. Until [`Unfinished::end`], the files must not be read
/// together, because some may be old and some new. A process that is killed leaves its mark behind; the next
/// process that replaces the files removes it at the end.
#[derive(Debug)]
pub struct Unfinished {
    folder: PathBuf,
}

impl Unfinished {
    /// Marks a folder. Call this before the first file is replaced.
    ///
    /// # Errors
    /// An operation of the file system fails.
    pub fn begin(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(NAME);
        let mut file = AtomicFile::create(&path, Existing::Own)?;
        file.write_all(b"The files here are being replaced, one by one.\n")
            .map_err(FileError::io("write", &path))?;
        file.commit()?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Removes the mark, after the names of all replaced files are synced to the disk.
    ///
    /// # Errors
    /// An operation of the file system fails.
    pub fn end(self) -> Result<(), FileError> {
        let path = self.folder.join(NAME);
        disk::sync_folder(&self.folder)
            .and_then(|()| disk::remove_file(&path))
            .and_then(|()| disk::sync_folder(&self.folder))
            .map_err(FileError::io("write", &path))
    }

    /// Whether a folder is marked.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(NAME).exists()
    }
}
