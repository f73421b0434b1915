//! The few operations on which durability rests. Everything in this crate that makes, moves or removes
//! a name, or brings something to the disk, does so through here, so that tests can record the
//! operations and replay what a power failure may leave of them (see `replay.rs`).

use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

#[cfg(test)]
use crate::replay::{Operation, note};

/// Makes a file that is not there yet. A link in its place is an error, not followed.
pub(crate) fn create(path: &Path) -> Result<File> {
    let file = File::options().read(true).write(true).create_new(true).open(path)?;
    #[cfg(test)]
    note(|| Operation::Create(path.to_owned()));
    Ok(file)
}

/// Makes an empty folder.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir(path)?;
    #[cfg(test)]
    note(|| Operation::CreateFolder(path.to_owned()));
    Ok(())
}

/// Brings a file's bytes to the disk.
pub(crate) fn sync_file(file: &File, path: &Path) -> Result<()> {
    file.sync_all()?;
    #[cfg(not(test))]
    let _ = path; // only the record needs it
    #[cfg(test)]
    note(|| Operation::SyncFile(path.to_owned(), std::fs::read(path).unwrap_or_default()));
    Ok(())
}

/// Brings the names in a folder to the disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(()); // a folder cannot be opened as a file there
    }
    match File::open(folder)?.sync_all() {
        // Some network file systems have nothing to do for a folder, and say that it is no file.
        Err(error) if error.kind() != ErrorKind::InvalidInput => return Err(error),
        _ => {}
    }
    #[cfg(test)]
    note(|| Operation::SyncFolder(folder.to_owned()));
    Ok(())
}

/// Brings the files below a folder, and the folders that name them, to the disk.
pub(crate) fn sync_tree(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            let path = entry.path();
            sync_file(&File::open(&path)?, &path)?;
        }
    }
    sync_folder(folder)
}

/// Gives a file or folder another name, in place of a file or an empty folder of that name.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to)?;
    #[cfg(test)]
    note(|| Operation::Rename(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Gives a file a name that nothing has yet.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if the name is taken.
pub(crate) fn rename_to_free(from: &Path, to: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    if renamed(from, to, rustix::fs::RenameFlags::NOREPLACE)? {
        #[cfg(test)]
        note(|| Operation::Rename(from.to_owned(), to.to_owned()));
        return Ok(());
    }
    if to.symlink_metadata().is_ok() {
        return Err(Error::from(ErrorKind::AlreadyExists));
    }
    rename(from, to)
}

/// Swaps two folders in one step, so that a process that is killed leaves one or the other. Where the
/// file system cannot, `aside` holds the old one for a moment.
pub(crate) fn exchange(new: &Path, old: &Path, aside: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    if renamed(new, old, rustix::fs::RenameFlags::EXCHANGE)? {
        #[cfg(test)]
        note(|| Operation::Exchange(new.to_owned(), old.to_owned()));
        return Ok(());
    }
    rename(old, aside)?;
    rename(new, old)?;
    rename(aside, new)
}

/// Renames in one of the ways that only Linux has; false where the file system does not know it.
#[cfg(target_os = "linux")]
fn renamed(from: &Path, to: &Path, flags: rustix::fs::RenameFlags) -> Result<bool> {
    use rustix::fs::{CWD, renameat_with};
    match renameat_with(CWD, from, CWD, to, flags) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    removed(path, std::fs::remove_file(path))
}

/// Removes a folder of our own with everything in it, if it is there.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    removed(path, std::fs::remove_dir_all(path))
}

/// That there was nothing to remove is no failure.
fn removed(path: &Path, result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    #[cfg(not(test))]
    let _ = path; // only the record needs it
    #[cfg(test)]
    note(|| Operation::Remove(path.to_owned()));
    Ok(())
}

/// The folder that something is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A hidden name beside a path, for what is only there while the path is written: `.sextant-NAME.part`.
/// It is the same for every process, so that what a dead one left is found by the next.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    /// Most file systems allow 255 bytes.
    const LONGEST: usize = 200;
    let name = path.file_name().unwrap_or_default();
    let mut hidden = OsString::from(".sextant-");
    if name.len() > LONGEST {
        use sha2::{Digest, Sha256};
        hidden.push(crate::hexadecimal(&Sha256::digest(name.as_encoded_bytes())));
    } else {
        hidden.push(name);
    }
    hidden.push(".");
    hidden.push(suffix);
    folder_of(path).join(hidden)
}
