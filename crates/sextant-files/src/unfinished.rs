//! Folders whose files are replaced one by one, as they can only be.

use crate::disk;
use crate::{AtomicFile, Existing, FileError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The hidden file that stands in a folder while files that belong together are replaced.
const NAME: &str = ".sextant-unfinished";

/// The files of a folder are being replaced: until [`Unfinished::end`], whoever reads them together must
/// not, since some may be old and some new. A process that is killed leaves the mark, and the next one that
/// writes there takes it away with its own.
#[derive(Debug)]
pub struct Unfinished {
    folder: PathBuf,
}

impl Unfinished {
    /// Marks a folder, before the first file is replaced.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(NAME);
        let mut file = AtomicFile::create(&path, Existing::Own)?;
        file.write_all(b"The files here are being replaced, one by one.\n")
            .map_err(FileError::io("write", &path))?;
        file.commit()?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Takes the mark away, when everything else is on the disk.
    ///
    /// # Errors
    /// The disk refuses.
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
