//! Writing a data set into a folder, over nothing but an earlier one of our own.

use super::{DataFiles, Dataset};
use crate::write::write_to;
use crate::{DataError, Format};
use sextant_core::Split;
use sextant_files::{Existing, Lock, OwnFiles, Unfinished};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder that a data set is to be saved in. As long as it is held, no other process can hold it.
#[derive(Debug)]
pub struct DataFolder {
    folder: PathBuf,
    own: OwnFiles,
    existing: Existing,
    /// Whether it was made here, so that it goes again when nothing is put into it.
    is_new: bool,
    lock: Option<Lock>,
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        self.lock = None;
        if self.is_new {
            // This removes empty folders only.
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

impl DataFolder {
    /// Takes hold of a folder, which is made if need be, before the work for what goes into it begins.
    ///
    /// Parts that an earlier call left there are replaced by [`DataFolder::save`]. Parts that were put there
    /// by anybody else, or changed since, are replaced or refused as `existing` says: two data sets in one
    /// folder would be read as one.
    ///
    /// # Errors
    /// The folder holds somebody else's parts, another process holds it, or the disk refuses.
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

    /// Saves the parts as files of `format`. The file name says the split. Parts that are empty get no file.
    ///
    /// # Errors
    /// A text that the format cannot hold, or the disk refuses. Each file is written whole or not at all; a
    /// folder in which only some are new is an error to read until it is written again.
    pub fn save(&mut self, dataset: &Dataset, format: Format) -> Result<(), DataError> {
        let mark = Unfinished::begin(&self.folder)?;
        let mut written = Vec::new();
        for split in Split::ALL.into_iter().filter(|&split| !dataset.part(split).is_empty()) {
            let name = format!("{split}.{}", format.extension());
            let file = self.own.create(&name, self.existing).map_err(DataError::from);
            let saved = file.and_then(|file| write_to(file.into(), format, dataset.part(split)));
            if let Err(error) = saved {
                // Nothing was replaced: the folder is what it was.
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

    /// Puts a text beside the parts, such as a report of how they came to be.
    ///
    /// # Errors
    /// There is a file of the user's of this name, or the disk refuses.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), DataError> {
        let mut file = self.own.create(name, self.existing)?;
        file.write_all(text.as_bytes()).map_err(|error| DataError::write(file.path(), error))?;
        Ok(file.commit()?)
    }
}

impl Dataset {
    /// Saves the data set into a folder; see [`DataFolder`].
    ///
    /// # Errors
    /// As [`DataFolder::open`] and [`DataFolder::save`].
    pub fn save(
        &self,
        folder: impl AsRef<Path>,
        format: Format,
        existing: Existing,
    ) -> Result<(), DataError> {
        DataFolder::open(folder, existing)?.save(self, format)
    }
}
