//! Folders that are whole or absent.

use crate::FileError;
use std::fs::File;
use std::path::Path;

/// How the names of folders begin that are being written; one that stays belongs to a process that
/// was killed. The name says whose it is, so that a folder of the user's is never taken for one.
pub const UNFINISHED: &str = ".sextant-new-";

/// Has `fill` write into an empty folder beside `folder`, then puts that in its place. When `fill`
/// fails, what was there stays.
///
/// Everything in the new folder reaches the disk before the folder takes its place, and the change of
/// place reaches it before this returns: a power failure leaves the old folder or the new one whole.
pub fn replace_folder<E: From<FileError>>(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let parent = folder_of(folder);
    std::fs::create_dir_all(parent).map_err(FileError::io("create", parent))?;
    let staging = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(parent)
        .map_err(FileError::io("write in", parent))?;
    fill(staging.path())?;
    sync_tree(staging.path()).map_err(FileError::io("write", folder))?;
    if folder.exists() {
        exchange(staging.path(), folder).map_err(FileError::io("replace", folder))?;
    } else {
        std::fs::rename(staging.path(), folder).map_err(FileError::io("write", folder))?;
    }
    sync_folder(parent).map_err(FileError::io("write", folder))?;
    // The staging folder's place holds the predecessor now, or nothing: it goes when `staging` does.
    Ok(())
}

/// Brings the files below a folder, and the folders that name them, to the disk.
fn sync_tree(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// Brings the names in a folder to the disk.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if !cfg!(unix) {
        return Ok(()); // a folder cannot be opened as a file there
    }
    match File::open(folder)?.sync_all() {
        // Some network file systems have nothing to do for a folder, and say that it is no file.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// The folder that something is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Swaps two folders in one step, so that a process that is killed leaves one or the other.
#[cfg(target_os = "linux")]
fn exchange(new: &Path, old: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        // Not every file system can.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => rename_twice(new, old),
        result => result.map_err(Into::into),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(new: &Path, old: &Path) -> std::io::Result<()> {
    rename_twice(new, old)
}

fn rename_twice(new: &Path, old: &Path) -> std::io::Result<()> {
    let aside = new.with_extension("old");
    std::fs::rename(old, &aside)?;
    std::fs::rename(new, old)?;
    std::fs::rename(&aside, new)
}
