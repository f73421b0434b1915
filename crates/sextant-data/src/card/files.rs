//! The files that a dataset was read from.

use crate::DataError;
use serde::Serialize;
use std::path::Path;

/// A file, identified by the hash of its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// The file's name, without its folder.
    pub name: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The SHA-256 of the file's bytes, in lower-case hexadecimal.
    pub sha256: String,
}

impl DataFile {
    /// Reads a whole file to compute its hash.
    ///
    /// # Errors
    /// [`DataError::Read`] if the file cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let bytes = std::fs::metadata(path).map_err(|source| DataError::read(path, source))?.len();
        let sha256 = sextant_files::sha256(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, bytes, sha256 })
    }
}
