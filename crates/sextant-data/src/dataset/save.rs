//! Writing a data set into a folder, over nothing but an earlier one of our own.

use super::{DataFiles, Dataset};
use crate::{DataError, Format, write_examples};
use sextant_core::Split;
use sextant_files::AtomicFile;

use std::io::{ErrorKind, Write};
use std::path::Path;

/// A hidden file that lists the parts which were written by this program, one name a line.
const OURS: &str = ".sextant-data";

impl Dataset {
    /// Saves the parts as files of `format` into a folder, which is made if need be. The file name
    /// says the split. Parts that are empty get no file.
    ///
    /// Parts that an earlier call left in the folder are replaced. A part that was put there by
    /// anybody else is never touched: it is an error, and nothing is written.
    ///
    /// # Errors
    /// The folder holds somebody else's parts, or the disk refuses. Each file is written whole or
    /// not at all.
    pub fn save(&self, folder: impl AsRef<Path>, format: Format) -> Result<(), DataError> {
        let folder = folder.as_ref();
        let fail = |error| DataError::write(folder, error);
        std::fs::create_dir_all(folder).map_err(fail)?;
        let ours = check_free(folder)?;
        let mut written = Vec::new();
        for split in Split::ALL.into_iter().filter(|&split| !self.part(split).is_empty()) {
            let name = format!("{split}.{}", format.extension());
            write_examples(folder.join(&name), self.part(split))?;
            written.push(name);
        }
        for old in ours.iter().filter(|name| !written.contains(name)) {
            match std::fs::remove_file(folder.join(old)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(fail(error)),
                _ => {}
            }
        }
        let mut marker = AtomicFile::create(folder.join(OURS))?;
        writeln!(marker, "{}", written.join("\n")).map_err(fail)?;
        Ok(marker.commit()?)
    }
}

/// Makes sure that a folder holds no part but our own; their names.
pub(crate) fn check_free(folder: &Path) -> Result<Vec<String>, DataError> {
    // Only names that we give are taken from the list, so that a forged one removes nothing else.
    let is_ours = |name: &str| {
        Split::ALL
            .iter()
            .any(|split| Format::ALL.iter().any(|f| name == format!("{split}.{}", f.extension())))
    };
    let list = std::fs::read_to_string(folder.join(OURS)).unwrap_or_default();
    let ours: Vec<String> = list.lines().filter(|name| is_ours(name)).map(str::to_owned).collect();
    for name in DataFiles::names(folder)? {
        if !ours.contains(&name) {
            let problem = format!(
                "`{name}` is there already and was not made by this program; choose another folder, or move the file away"
            );
            return Err(DataError::unusable(folder, problem));
        }
    }
    Ok(ours)
}
