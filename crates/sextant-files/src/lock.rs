//! A place that one process at a time writes to.

use crate::FileError;
use crate::disk::beside;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that is locked in a folder. It is there while the folder is in use; after a kill it stays,
/// unlocked.
const NAME: &str = ".sextant-lock";

/// Keeps a place for this process until it is dropped.
///
/// The lock is the system's own (`flock` on Unix), on a hidden file: when the process that holds it dies,
/// however it dies, the system releases it, and the next process takes it over. The file says who holds
/// it, for the message of the one that has to stay out.
#[derive(Debug)]
pub struct Lock {
    /// Locked as long as it is open; none where the file system knows no locks.
    file: Option<File>,
    path: PathBuf,
}

impl Lock {
    /// Locks a folder, which must be there: nobody else writes into it.
    ///
    /// # Errors
    /// Another process, or another lock of this one, holds it: the message says which process. Or the file
    /// system refuses.
    pub fn folder(folder: &Path) -> Result<Self, FileError> {
        Self::acquire(folder.join(NAME), folder)
    }

    /// Locks a file or a folder that need not be there, by a file beside it: nobody else writes it.
    ///
    /// # Errors
    /// As for [`Lock::folder`]; or the folder that it is in cannot be written to.
    pub fn beside(path: &Path) -> Result<Self, FileError> {
        Self::acquire(beside(path, "lock"), path)
    }

    /// The same, for a write that takes no time: it waits until the other one is done.
    ///
    /// # Errors
    /// The other one is not done after half a minute, or the file system refuses.
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

    /// Who holds a folder's lock, if a process other than this one may be writing into it now.
    pub fn holder(folder: &Path) -> Option<String> {
        let mut file = File::open(folder.join(NAME)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
            _ => None,
        }
    }

    /// This process, as a lock names it.
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
                // Somebody else's link at this place would have its target overwritten.
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
            // Its holder may have removed the file after it was opened here: that lock keeps nobody out.
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

/// Who holds a lock, as the locked file says.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // A file that cannot be read, or is being written, names nobody.
    let _ = file.read_to_string(&mut text);
    match text.trim() {
        "" => "another process".to_owned(),
        holder => holder.to_owned(),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        // Removed while it is still locked, so that nobody's lock but this one goes with it.
        let _ = std::fs::remove_file(&self.path);
        let _ = file.unlock();
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
