//! The files of a folder that this program wrote.

use crate::list::{ListEntry, append};
use crate::{AtomicFile, Existing, FileError, disk, sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The hidden file with the list. It has lines like those of `sha256sum`, with `-` in place of the hash for
/// something that changes while it is used, like a log or a folder.
const LIST: &str = ".sextant-files";
const ANY: &str = "-";

/// The files of a folder that this program wrote. They may be replaced when the command that wrote them runs
/// again; no other file may.
///
/// A file counts as this program's own as long as its content is what this program wrote. A file that the user
/// has edited or replaced belongs to the user. A file is added to the list on the disk before it appears, so
/// that a file of a process that was killed is known too.
#[derive(Debug)]
pub struct OwnFiles {
    folder: PathBuf,
    /// For each name, the hashes of the contents that this program wrote, or `-` for any content.
    made: BTreeMap<String, BTreeSet<String>>,
    /// The names of folders that this program writes. Inside such a folder it removes only names that it
    /// writes.
    folders: BTreeSet<String>,
    /// Names at which a file of the user may be overwritten. If there is one, the warning was already given.
    let_go: BTreeSet<String>,
}

impl OwnFiles {
    /// Reads the list of a folder. Without a list, no file counts as this program's own.
    ///
    /// # Errors
    /// The list exists and cannot be read.
    pub fn of(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(LIST);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.map_err(FileError::io("read", &path))?,
        };
        let mut made = BTreeMap::<String, BTreeSet<String>>::new();
        for (hash, name) in text.lines().filter_map(|line| line.split_once("  ")) {
            made.entry(name.to_owned()).or_default().insert(hash.to_owned());
        }
        Ok(Self {
            folder: folder.to_owned(),
            made,
            folders: BTreeSet::new(),
            let_go: BTreeSet::new(),
        })
    }

    /// Declares the names of folders that are written by [`replace_folder`](crate::replace_folder) and removed
    /// by [`remove_folder`](crate::remove_folder), which keep the user's files in them. A folder under any
    /// other name is never overwritten and gives an error, whatever `existing` allows.
    #[must_use]
    pub fn with_folders(mut self, names: &[&str]) -> Self {
        self.folders.extend(names.iter().map(|&name| name.to_owned()));
        self
    }

    /// Whether a file or folder with this name exists and is this program's own.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_ours(&self, name: &str) -> Result<bool, FileError> {
        let path = self.folder.join(name);
        let Some(hashes) = self.made.get(name).filter(|_| path.exists()) else { return Ok(false) };
        Ok(hashes.contains(ANY) || (path.is_file() && hashes.contains(&sha256(&path)?)))
    }

    /// Checks that no file of the user is at any of the names, before any work is done.
    ///
    /// # Errors
    /// A file of the user has one of the names, and `existing` does not allow it to be overwritten.
    pub fn admit<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        existing: Existing,
    ) -> Result<(), FileError> {
        for name in names {
            self.admit_one(name, existing)?;
        }
        Ok(())
    }

    /// Checks one name, and returns the [`Existing`] with which the file is to be written.
    fn admit_one(&mut self, name: &str, existing: Existing) -> Result<Existing, FileError> {
        if self.let_go.contains(name) || self.is_ours(name)? {
            return Ok(Existing::Own);
        }
        let path = self.folder.join(name);
        if path.is_dir() && !path.is_symlink() && !self.folders.contains(name) {
            return Err(FileError::Unusable {
                action: "write",
                path,
                problem: "there is a folder at this path, which is never overwritten; move it away"
                    .into(),
            });
        }
        existing.admit(&path, Existing::file_at(&path))?;
        if existing == Existing::Refuse {
            return Ok(Existing::Refuse); // so that a file that appears later is refused too
        }
        self.let_go.insert(name.to_owned());
        Ok(Existing::Own)
    }

    /// Adds a name to the list as this program's own, whatever its content will be, for example a log that
    /// grows, or a folder. The folder with the list must exist.
    ///
    /// # Errors
    /// An operation of the file system fails.
    pub fn claim(&mut self, name: &str) -> Result<(), FileError> {
        self.list(ANY, name)
    }

    /// Creates a file with this name. It replaces a file that is this program's own; whether it may replace
    /// another file is decided by `existing`. The file is in the list when it appears.
    ///
    /// # Errors
    /// A file of the user has this name and may not be overwritten, or an operation of the file system fails.
    pub fn create(&mut self, name: &str, existing: Existing) -> Result<AtomicFile, FileError> {
        let existing = self.admit_one(name, existing)?;
        let file = AtomicFile::create(self.folder.join(name), existing)?;
        Ok(file.listed(ListEntry { list: self.folder.join(LIST), name: name.to_owned() }))
    }

    /// Adds a folder to the list as this program's own, and returns the [`Existing`] for
    /// [`replace_folder`](crate::replace_folder).
    ///
    /// # Errors
    /// Something of the user has this name and may not be overwritten, or an operation of the file system
    /// fails.
    pub fn folder(&mut self, name: &str, existing: Existing) -> Result<Existing, FileError> {
        self.folders.insert(name.to_owned());
        let existing = self.admit_one(name, existing)?;
        self.claim(name)?;
        Ok(existing)
    }

    /// Removes a file, if it exists and is this program's own or may be overwritten. Other files stay.
    ///
    /// # Errors
    /// An operation of the file system fails.
    pub fn remove(&self, name: &str) -> Result<(), FileError> {
        let path = self.folder.join(name);
        if !self.is_ours(name)? && !self.let_go.contains(name) {
            return Ok(());
        }
        disk::remove_file(&path).map_err(FileError::io("remove", &path))
    }

    fn list(&mut self, hash: &str, name: &str) -> Result<(), FileError> {
        let hashes = self.made.entry(name.to_owned()).or_default();
        if hashes.insert(hash.to_owned()) {
            append(&self.folder.join(LIST), hash, name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn put(folder: &Path, text: &str, existing: Existing) -> Result<(), FileError> {
        let mut file = OwnFiles::of(folder)?.create("a.txt", existing)?;
        file.write_all(text.as_bytes()).unwrap();
        file.commit()
    }

    #[test]
    fn only_what_it_wrote_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["first", "second", "first"] {
            put(folder.path(), text, Existing::Refuse).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, "first, and my notes").unwrap();
        assert!(!OwnFiles::of(folder.path()).unwrap().is_ours("a.txt").unwrap());
        let error = put(folder.path(), "third", Existing::Refuse).unwrap_err().to_string();
        assert!(error.contains("a.txt") && error.contains("--overwrite"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first, and my notes");
        put(folder.path(), "third", Existing::Overwrite).unwrap();
        put(folder.path(), "fourth", Existing::Refuse).unwrap();
    }

    #[test]
    fn claimed_names_hold_anything() {
        let folder = tempfile::tempdir().unwrap();
        let mut own = OwnFiles::of(folder.path()).unwrap();
        std::fs::write(folder.path().join("log"), "mine").unwrap();
        assert!(own.admit(["log", "absent"], Existing::Refuse).is_err());
        own.claim("log").unwrap();
        own.claim("log").unwrap();
        let mut own = OwnFiles::of(folder.path()).unwrap();
        own.admit(["log", "absent"], Existing::Refuse).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join(LIST)).unwrap(), "-  log\n");
    }
}
