//! A file that appears at its path whole or not at all.

use crate::disk::{self, beside, folder_of};
use crate::list::ListEntry;
use crate::{Existing, FileError, Lock};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file with a temporary name, which [`AtomicFile::commit`] moves to its path.
///
/// If the value is dropped before that, the temporary file is removed, and a file at the path stays as it was.
/// While the value exists, no other process can create one for the same path. If a process is killed, its
/// temporary file is removed when the path is written the next time.
///
/// ```
/// use sextant_files::{AtomicFile, Existing};
/// use std::io::Write;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("report.txt");
/// let mut file = AtomicFile::create(&path, Existing::Refuse)?;
/// file.write_all(b"3 rows\n")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "3 rows\n");
///
/// // A file that exists is replaced only if the caller allows it.
/// assert!(AtomicFile::create(&path, Existing::Refuse).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    // Fields are dropped in the order of their declaration: the lock must be the last.
    file: BufWriter<File>,
    temporary: Temporary,
    path: PathBuf,
    existing: Existing,
    /// Where the file is listed as one of this program's files before it appears.
    entry: Option<ListEntry>,
    _lock: Lock,
}

/// A path whose file is removed on drop, unless it was moved away before.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // If the file cannot be removed now, it is removed when the path is written the next time.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl AtomicFile {
    /// Creates a temporary file in the folder of `path`. If `path` is a link, the link is followed and its
    /// target is replaced.
    ///
    /// # Errors
    /// Something at the path may not be replaced or is not a file; another process is writing to the path; or
    /// the folder does not exist or cannot be written to.
    pub fn create(path: impl AsRef<Path>, existing: Existing) -> Result<Self, FileError> {
        let path = path.as_ref();
        let target = match std::fs::canonicalize(path) {
            Ok(target) if target.is_file() => target,
            Ok(_) => {
                return Err(FileError::Unusable {
                    action: "write",
                    path: path.to_owned(),
                    problem: "there is something other than a file at this path; name a file"
                        .into(),
                });
            }
            Err(_) => path.to_owned(),
        };
        let followed = |what| {
            if !path.is_symlink() {
                return what;
            }
            format!("a link to {}, {what}", target.display())
        };
        existing.admit(path, Existing::file_at(&target).map(followed))?;
        if !folder_of(&target).is_dir() {
            return Err(FileError::Unusable {
                action: "write",
                path: path.to_owned(),
                problem: format!(
                    "there is no folder {}; make it first",
                    folder_of(&target).display()
                ),
            });
        }
        let lock = Lock::beside(&target)?;
        let temporary = beside(&target, "part");
        // A temporary file that exists here was left by a killed process, because this process holds the lock.
        let file = disk::remove_file(&temporary)
            .and_then(|()| disk::create(&temporary))
            .map_err(FileError::io("write", path))?;
        like_old(&file, &target);
        Ok(Self {
            file: BufWriter::with_capacity(1 << 16, file),
            temporary: Temporary(temporary),
            path: target,
            existing,
            entry: None,
            _lock: lock,
        })
    }

    /// Sets the entry by which [`AtomicFile::commit`] lists the file as one of this program's files.
    pub(crate) fn listed(self, entry: ListEntry) -> Self {
        Self { entry: Some(entry), ..self }
    }

    /// The path at which the file will appear.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file to the disk and moves it to its path.
    ///
    /// # Errors
    /// An operation of the file system fails, or something that may not be replaced has appeared at the path
    /// since the file was created. The temporary file is removed then.
    pub fn commit(mut self) -> Result<(), FileError> {
        let (temporary, path) = (&self.temporary.0, &self.path);
        let failed = || FileError::io("write", path);
        self.file.flush().map_err(failed())?;
        disk::sync_file(self.file.get_ref(), temporary).map_err(failed())?;
        if let Some(entry) = &self.entry {
            entry.note(temporary)?;
        }
        if self.existing == Existing::Refuse && Existing::file_at(path).is_some() {
            return self.existing.admit(path, Existing::file_at(path));
        }
        // An empty file at the path is replaced.
        let moved = if self.existing == Existing::Refuse && path.symlink_metadata().is_err() {
            disk::rename_to_free(temporary, path)
        } else {
            disk::rename(temporary, path)
        };
        match moved {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return self.existing.admit(path, Some("made in the meantime".into()));
            }
            moved => moved.map_err(failed())?,
        }
        disk::sync_folder(folder_of(path)).map_err(failed())
    }

    /// A file on a full disk, for tests of code that writes files.
    ///
    /// # Errors
    /// The errors of [`AtomicFile::create`]; or there is no `/dev/full`.
    #[doc(hidden)]
    pub fn create_on_full_disk(path: &Path) -> Result<Self, FileError> {
        let mut file = Self::create(path, Existing::Refuse)?;
        let full = File::options().write(true).open("/dev/full");
        file.file = BufWriter::new(full.map_err(FileError::io("write", path))?);
        Ok(file)
    }
}

/// Gives a new file the permissions of the file that it will replace, and its owner where that is allowed, so
/// that a file that only its owner could read does not become readable by others.
fn like_old(new: &File, old: &Path) {
    let Ok(data) = old.metadata() else { return };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Only the administrator may change the owner of a file. For other users, this fails and has no effect.
        let _ = std::os::unix::fs::fchown(new, Some(data.uid()), Some(data.gid()));
    }
    let _ = new.set_permissions(data.permissions());
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &tempfile::TempDir) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    fn put(path: &Path, text: &str, existing: Existing) -> Result<(), FileError> {
        let mut file = AtomicFile::create(path, existing)?;
        file.write_all(text.as_bytes()).unwrap();
        file.commit()
    }

    #[test]
    fn appears_on_commit_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        let mut file = AtomicFile::create(&path, Existing::Refuse).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(names(&folder), 0);

        for text in ["first", "second"] {
            put(&path, text, Existing::Own).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(&folder), 1);
        }
    }

    #[test]
    fn what_is_there_stays_unless_it_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        put(&path, "precious", Existing::Refuse).unwrap();
        let error = put(&path, "new", Existing::Refuse).unwrap_err().to_string();
        assert!(error.contains("8 bytes") && error.contains("--overwrite"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        put(&path, "new", Existing::Overwrite).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");

        // A file that appears at the path while the new one is being written stays too.
        let late = folder.path().join("late.txt");
        let file = AtomicFile::create(&late, Existing::Refuse).unwrap();
        std::fs::write(&late, "somebody's").unwrap();
        assert!(file.commit().is_err());
        assert_eq!(std::fs::read_to_string(&late).unwrap(), "somebody's");

        // An empty file, like one that `mktemp` creates, may be replaced, because nothing is lost.
        let empty = folder.path().join("empty.txt");
        std::fs::write(&empty, "").unwrap();
        put(&empty, "new", Existing::Refuse).unwrap();
        assert_eq!(std::fs::read_to_string(&empty).unwrap(), "new");
        assert_eq!(names(&folder), 3);
    }

    #[test]
    fn one_at_a_time_and_what_a_dead_process_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        std::fs::write(folder.path().join(".sextant-out.txt.part"), "half of a longer text")
            .unwrap();
        std::fs::write(folder.path().join(".sextant-out.txt.lock"), "process 1").unwrap();
        let first = AtomicFile::create(&path, Existing::Refuse).unwrap();
        let error = AtomicFile::create(&path, Existing::Refuse).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        first.commit().unwrap();
        assert_eq!((names(&folder), std::fs::read(&path).unwrap().len()), (1, 0));
    }

    #[test]
    #[cfg(unix)]
    fn permissions_are_those_of_any_new_file_and_links_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [plain, ours, link] = ["plain", "ours", "link"].map(|name| folder.path().join(name));
        File::create(&plain).unwrap();
        put(&ours, "", Existing::Refuse).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&plain), mode(&ours));

        // A file that was private stays private.
        std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o600)).unwrap();
        put(&ours, "secret", Existing::Own).unwrap();
        assert_eq!(mode(&ours) & 0o777, 0o600);

        std::os::unix::fs::symlink(&plain, &link).unwrap();
        put(&link, "x", Existing::Refuse).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&plain).unwrap(), "x");
    }

    #[test]
    fn long_names_and_folders_and_missing_folders() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("n".repeat(255));
        put(&long, "x", Existing::Refuse).unwrap();
        assert_eq!(std::fs::read_to_string(&long).unwrap(), "x");
        for path in [folder.path().to_owned(), folder.path().join("none/out.txt")] {
            let error = AtomicFile::create(&path, Existing::Own).unwrap_err().to_string();
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
        }
    }
}
