//! Locks for files and folders that only one process at a time may write.

use crate::FileError;
use crate::disk::beside;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The lock file of a folder. It exists while the folder is in use. If its process is killed, the file stays,
/// but it is not locked any more.
const NAME: &str = ".sextant-lock";

/// Reserves a file or folder for this process until the lock is dropped.
///
/// The lock is one of the operating system (`flock` on Unix) on a hidden file. When the process that holds it
/// ends, for whatever reason, the system releases the lock, and the next process takes it over. The hidden file
/// holds the number of the process, for the error message of other processes.
#[derive(Debug)]
pub struct Lock {
    /// The hidden file, which is locked while it is open; none if the file system has no locks.
    file: Option<File>,
    path: PathBuf,
}

impl Lock {
    /// Locks a folder, which must exist, so that no other process writes into it.
    ///
    /// # Errors
    /// [`FileError::InUse`] if another process, or another lock of this process, holds the folder's lock; or an
    /// operation of the file system fails.
    pub fn folder(folder: &Path) -> Result<Self, FileError> {
        Self::acquire(folder.join(NAME), folder)
    }

    /// Locks a file or a folder, which need not exist, by a lock file beside it, so that no other process
    /// writes it.
    ///
    /// # Errors
    /// [`FileError::InUse`] as for [`Lock::folder`]; or the folder that contains `path` cannot be written to.
    pub fn beside(path: &Path) -> Result<Self, FileError> {
        Self::acquire(beside(path, "lock"), path)
    }

    /// Like [`Lock::beside`], but waits until another process releases the lock. It is meant for short writes.
    ///
    /// # Errors
    /// The lock is not released within half a minute, or an operation of the file system fails.
    pub fn wait_beside(path: &Path) -> Result<Self, FileError> {
        const PAUSE: Duration = Duration::from_millis(5);
        const TRIES: u32 = 6000;
        for _ in 1..TRIES {
            match Self::beside(path) {
                Err(FileError::InUse { .. }) => std::thread::sleep(PAUSE),
                result => return result,
            }
        }
        Self::beside(path)
    }

    /// The holder of a folder's lock, if a process holds it now; this process is named like any other.
    pub fn holder(folder: &Path) -> Option<String> {
        let mut file = File::open(folder.join(NAME)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
            _ => None,
        }
    }

    /// The name of this process in a lock file.
    pub(crate) fn me() -> String {
        format!("process {}", std::process::id())
    }

    fn acquire(path: PathBuf, of: &Path) -> Result<Self, FileError> {
        let failed = || FileError::io("lock", of);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            #[cfg(unix)]
            {
                // If there were a link at this path, its target would be overwritten.
                use std::os::unix::fs::OpenOptionsExt;
                options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
            }
            let mut file = options.open(&path).map_err(failed())?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(FileError::InUse {
                        path: of.to_owned(),
                        holder: holder(&mut file),
                    });
                }
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    tracing::warn!(
                        "{}: the file system knows no locks; see to it that no other process writes there",
                        of.display()
                    );
                    let _ = std::fs::remove_file(&path);
                    return Ok(Self { file: None, path });
                }
                Err(TryLockError::Error(source)) => return Err(failed()(source)),
            }
            // The previous holder may have removed the file after it was opened here. A lock on a removed file
            // keeps no other process out.
            if !is_at(&file, &path) {
                continue;
            }
            let holder = Self::me();
            file.set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| file.write_all(holder.as_bytes()))
                .map_err(failed())?;
            return Ok(Self { file: Some(file), path });
        }
    }
}

/// The holder of a lock, read from the lock file.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // If the file cannot be read or is being written, it does not name the holder.
    let _ = file.read_to_string(&mut text);
    match text.trim() {
        "" => "another process".to_owned(),
        holder => holder.to_owned(),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        // The file is removed while it is still locked, so that it cannot be the lock of another process.
        let _ = std::fs::remove_file(&self.path);
        let _ = file.unlock();
    }
}

/// Whether a path still leads to an open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |data: std::fs::Metadata| (data.dev(), data.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

/// On other systems an open file cannot be removed, so the path always leads to it.
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
        assert_eq!(Lock::holder(folder.path()), None);
        let first = Lock::folder(folder.path()).unwrap();
        let me = format!("process {}", std::process::id());
        assert_eq!(Lock::holder(folder.path()).as_ref(), Some(&me));
        let error = Lock::folder(folder.path()).unwrap_err();
        assert!(matches!(&error, FileError::InUse { holder, .. } if *holder == me), "{error}");
        drop(first);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        drop(Lock::folder(folder.path()).unwrap());
    }

    #[test]
    fn the_file_of_a_dead_process_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "process 1").unwrap();
        assert_eq!(Lock::holder(folder.path()), None);
        drop(Lock::folder(folder.path()).unwrap());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_in_its_place_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(NAME)).unwrap();
        assert!(Lock::folder(folder.path()).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
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
                        let Ok(lock) = Lock::folder(folder.path()) else { continue };
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
