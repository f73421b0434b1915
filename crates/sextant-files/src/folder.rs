//! Folders that are whole or absent.

use crate::FileError;
use std::path::Path;

/// How the names of folders begin that are being written; one that stays belongs to a process that
/// was killed.
pub const UNFINISHED: &str = ".new-";

/// Has `fill` write into an empty folder beside `folder`, then puts that in its place. When `fill`
/// fails, what was there stays.
pub fn replace_folder<E: From<FileError>>(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(FileError::io("create", parent))?;
    let staging = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(parent)
        .map_err(FileError::io("write in", parent))?;
    fill(staging.path())?;
    if !folder.exists() {
        let moved = std::fs::rename(staging.keep(), folder);
        return Ok(moved.map_err(FileError::io("write", folder))?);
    }
    Ok(exchange(staging.path(), folder).map_err(FileError::io("replace", folder))?)
    // The predecessor, now in the staging folder's place, is removed with it.
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
