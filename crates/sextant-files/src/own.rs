//! Which files of a folder this program made.

use crate::list::{Entry, append};
use crate::{AtomicFile, Existing, FileError, disk, sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The hidden file with the list: `sha256sum` lines, or `-` in place of the hash for what changes as long
/// as it is used (a log, a folder).
const LIST: &str = ".sextant-files";
const ANY: &str = "-";

/// The files of a folder that this program made, so that they may be replaced when the command that made
/// them runs again, and nothing else.
///
/// A file counts as ours as long as it holds what this program wrote: one that the user put in its place,
/// or edited, is the user's. The list is on the disk before the file is, so that a file that was written
/// by a process which was killed is known too.
#[derive(Debug)]
pub struct OwnFiles {
    folder: PathBuf,
    /// What each name may hold to be ours.
    made: BTreeMap<String, BTreeSet<String>>,
    /// Names under which this program keeps folders, of which only its own names are ever removed.
    folders: BTreeSet<String>,
    /// What the user let go, and was told of.
    let_go: BTreeSet<String>,
}

impl OwnFiles {
    /// Reads the list of a folder; an empty one if there is none.
    ///
    /// # Errors
    /// The list is there and cannot be read.
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

    /// Says that names are those of folders, whose files [`replace_folder`](crate::replace_folder) and
    /// [`remove_folder`](crate::remove_folder) will look after. A folder under any other name is in the way,
    /// whatever may be overwritten.
    #[must_use]
    pub fn with_folders(mut self, names: &[&str]) -> Self {
        self.folders.extend(names.iter().map(|&name| name.to_owned()));
        self
    }

    /// Whether something of this name is there and is ours.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_ours(&self, name: &str) -> Result<bool, FileError> {
        let path = self.folder.join(name);
        let Some(hashes) = self.made.get(name).filter(|_| path.exists()) else { return Ok(false) };
        Ok(hashes.contains(ANY) || (path.is_file() && hashes.contains(&sha256(&path)?)))
    }

    /// Makes sure that nothing of the user's is at some names, before any work is done.
    ///
    /// # Errors
    /// Something is, and `existing` does not let it go.
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

    /// What the file itself is to do with what is there.
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
            return Ok(Existing::Refuse); // so that it is refused when it comes later, too
        }
        self.let_go.insert(name.to_owned());
        Ok(Existing::Own)
    }

    /// Says that a name is ours, whatever it will hold: a log that grows, or a folder. The folder of the
    /// list must be there.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn claim(&mut self, name: &str) -> Result<(), FileError> {
        self.list(ANY, name)
    }

    /// Creates a file of this name, which takes the place of what is ours, and of anything else as
    /// `existing` says; the file is in the list when it appears.
    ///
    /// # Errors
    /// Something of the user's is there and may not go, or the disk refuses.
    pub fn create(&mut self, name: &str, existing: Existing) -> Result<AtomicFile, FileError> {
        let existing = self.admit_one(name, existing)?;
        let file = AtomicFile::create(self.folder.join(name), existing)?;
        Ok(file.listed(Entry { list: self.folder.join(LIST), name: name.to_owned() }))
    }

    /// Says that a folder of this name is ours from now on, and what is to become of what is there, for
    /// [`replace_folder`](crate::replace_folder).
    ///
    /// # Errors
    /// Something of the user's is there and may not go, or the disk refuses.
    pub fn folder(&mut self, name: &str, existing: Existing) -> Result<Existing, FileError> {
        self.folders.insert(name.to_owned());
        let existing = self.admit_one(name, existing)?;
        self.claim(name)?;
        Ok(existing)
    }

    /// Removes a file that is ours, or that the user let go, if it is there.
    ///
    /// # Errors
    /// The disk refuses.
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
