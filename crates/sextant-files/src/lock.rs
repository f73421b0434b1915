//! A folder that one process at a time writes into.

use crate::FileError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file that is locked. It is there while the folder is in use; after a kill it stays, unlocked.
const NAME: &str = ".sextant-lock";

/// Keeps a folder for this process until it is dropped.
///
/// The lock is the system's own (`flock` on Unix), on a hidden file in the folder: when the process that
/// holds it dies, however it dies, the system releases it, and the next process takes it over. The file
/// says who holds it, for the message of the one that has to stay out.
#[derive(Debug)]
pub struct FolderLock {
    /// Locked as long as it is open.
    file: File,
    path: PathBuf,
}

impl FolderLock {
    /// Locks a folder, which must be there.
    ///
    /// # Errors
    /// Another process, or another lock of this one, holds it: the message says which process. Or the file
    /// system refuses.
    pub fn acquire(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(NAME);
        let failed = || FileError::io("lock", folder);
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(failed())?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // A file that cannot be read, or is being written, names nobody.
                    let _ = file.read_to_string(&mut holder);
                    let holder = if holder.is_empty() { "another process" } else { holder.trim() };
                    return Err(FileError::Unusable {
                        action: "use",
                        path: folder.to_owned(),
                        problem: format!(
                            "{holder} is writing into it; wait until it has ended, or choose another folder"
                        ),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(failed()(source)),
            }
            // Its holder may have removed the file after it was opened here: that lock keeps nobody out.
            if !is_at(&file, &path) {
                continue;
            }
            let holder = format!("process {}", std::process::id());
            file.set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| file.write_all(holder.as_bytes()))
                .map_err(failed())?;
            return Ok(Self { file, path });
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Removed while it is still locked, so that nobody's lock but this one goes with it.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Whether a path still names an open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |data: std::fs::Metadata| (data.dev(), data.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::acquire(folder.path()).unwrap();
        let error = FolderLock::acquire(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        drop(FolderLock::acquire(folder.path()).unwrap());
    }

    #[test]
    fn the_file_of_a_dead_process_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "process 1").unwrap();
        drop(FolderLock::acquire(folder.path()).unwrap());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn only_one_of_many_threads_holds_it() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let (inside, passed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let Ok(lock) = FolderLock::acquire(folder.path()) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        passed.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert!(passed.into_inner() > 0);
    }
}
