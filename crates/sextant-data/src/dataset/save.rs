//! Writing a dataset into a folder. Only files that Sextant itself wrote there are replaced without asking.

use super::{DataFiles, Dataset};
use crate::write::write_to;
use crate::{DataError, Format};
use sextant_core::Split;
use sextant_files::{Existing, Lock, OwnFiles, Unfinished};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder into which a dataset is to be saved. It is locked for other processes as long as this value
/// exists.
#[derive(Debug)]
pub struct DataFolder {
    folder: PathBuf,
    own: OwnFiles,
    existing: Existing,
    /// Whether [`DataFolder::open`] created the folder, which is then removed if it stays empty.
    is_new: bool,
    lock: Option<Lock>,
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        self.lock = None;
        if self.is_new {
            // `remove_dir` removes empty folders only.
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

impl DataFolder {
    /// Locks a folder, and creates it if it does not exist. A program calls this before it begins the work
    /// whose result is saved in the folder.
    ///
    /// [`DataFolder::save`] replaces the parts that an earlier call has written there. `existing` says
    /// whether parts of another origin, or parts that were changed since, are replaced or are an error: they
    /// cannot stay, since two datasets in one folder would be read as one.
    ///
    /// # Errors
    /// The folder has parts that must not be replaced, another process has locked it, or it cannot be written
    /// to.
    pub fn open(folder: impl AsRef<Path>, existing: Existing) -> Result<Self, DataError> {
        let folder = folder.as_ref().to_owned();
        let is_new = !folder.exists();
        std::fs::create_dir_all(&folder).map_err(|error| DataError::write(&folder, error))?;
        let lock = Lock::folder(&folder)?;
        let mut own = OwnFiles::of(&folder)?;
        let parts = DataFiles::names(&folder)?;
        own.admit(parts.iter().map(String::as_str), existing)?;
        Ok(Self { folder, own, existing, is_new, lock: Some(lock) })
    }

    /// Saves each split as a file of `format` that is named after the split. Splits without rows get no file.
    ///
    /// # Errors
    /// The format cannot hold a text, or a file cannot be written. Each file is written whole or not at all.
    /// If only some of the files are new, reading the folder is an error until it is saved again.
    pub fn save(&mut self, dataset: &Dataset, format: Format) -> Result<(), DataError> {
        let mark = Unfinished::begin(&self.folder)?;
        let mut written = Vec::new();
        for split in Split::ALL.into_iter().filter(|&split| !dataset.part(split).is_empty()) {
            let name = format!("{split}.{}", format.extension());
            let file = self.own.create(&name, self.existing).map_err(DataError::from);
            let saved = file.and_then(|file| write_to(file.into(), format, dataset.part(split)));
            if let Err(error) = saved {
                // No file was replaced, so the folder is unchanged.
                if written.is_empty() {
                    mark.end()?;
                }
                return Err(error);
            }
            written.push(name);
        }
        for old in DataFiles::names(&self.folder)?.iter().filter(|name| !written.contains(name)) {
            self.own.remove(old)?;
        }
        Ok(mark.end()?)
    }

    /// Writes a text file beside the parts, such as a report of how they were made.
    ///
    /// # Errors
    /// A file of this name that must not be replaced exists, or the file cannot be written.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), DataError> {
        let mut file = self.own.create(name, self.existing)?;
        file.write_all(text.as_bytes()).map_err(|error| DataError::write(file.path(), error))?;
        Ok(file.commit()?)
    }
}

impl Dataset {
    /// Saves the dataset into a folder; see [`DataFolder`].
    ///
    /// # Errors
    /// The errors of [`DataFolder::open`] and [`DataFolder::save`].
    pub fn save(
        &self,
        folder: impl AsRef<Path>,
        format: Format,
        existing: Existing,
    ) -> Result<(), DataError> {
        DataFolder::open(folder, existing)?.save(self, format)
    }
}
