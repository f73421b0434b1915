//! The few operations of the file system on which durability depends. All code of this crate that creates,
//! moves or removes a name, or syncs something to the disk, calls these functions, so that tests can record the
//! operations and replay what a power failure may leave of them (see the module `replay`).

use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

#[cfg(test)]
use crate::replay::{Operation, note};

/// Creates a file that does not exist yet. A link at the path is not followed, but is an error.
pub(crate) fn create(path: &Path) -> Result<File> {
    let file = File::options().read(true).write(true).create_new(true).open(path)?;
    #[cfg(test)]
    note(|| Operation::Create(path.to_owned()));
    Ok(file)
}

/// Creates an empty folder.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir(path)?;
    #[cfg(test)]
    note(|| Operation::CreateFolder(path.to_owned()));
    Ok(())
}

/// Syncs the content of a file to the disk.
pub(crate) fn sync_file(file: &File, path: &Path) -> Result<()> {
    file.sync_all()?;
    #[cfg(not(test))]
    let _ = path; // only the tests' record needs the path
    #[cfg(test)]
    note(|| Operation::SyncFile(path.to_owned(), std::fs::read(path).unwrap_or_default()));
    Ok(())
}

/// Syncs the names in a folder to the disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(()); // a folder cannot be opened as a file there
    }
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot sync a folder and do not need to: they report an invalid argument.
        Err(error) if error.kind() != ErrorKind::InvalidInput => return Err(error),
        _ => {}
    }
    #[cfg(test)]
    note(|| Operation::SyncFolder(folder.to_owned()));
    Ok(())
}

/// Syncs all files and folders below a folder, and the folder itself, to the disk.
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

/// Renames a file or folder. A file, or an empty folder, that has the new name is replaced.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to)?;
    #[cfg(test)]
    note(|| Operation::Rename(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Renames a file to a name that nothing has yet.
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

/// Exchanges two folders in one step, so that a process that is killed leaves either the old or the new folder
/// at its place. On file systems that cannot exchange, the old folder is moved to `aside` in between.
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

/// Renames with one of the flags that only Linux has. Returns false if the file system does not support the
/// flag.
#[cfg(target_os = "linux")]
fn renamed(from: &Path, to: &Path, flags: rustix::fs::RenameFlags) -> Result<bool> {
    use rustix::fs::{CWD, renameat_with};
    match renameat_with(CWD, from, CWD, to, flags) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

/// Removes a file, if it exists.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    removed(path, std::fs::remove_file(path))
}

/// Removes a folder that this program wrote, with everything in it, if it exists.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    removed(path, std::fs::remove_dir_all(path))
}

/// The result of removing something. It is not a failure if there was nothing to remove.
fn removed(path: &Path, result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    #[cfg(not(test))]
    let _ = path; // only the tests' record needs the path
    #[cfg(test)]
    note(|| Operation::Remove(path.to_owned()));
    Ok(())
}

/// The folder that contains a path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A hidden path beside `path` for something that exists only while `path` is written: `.sextant-NAME.part` for
/// the suffix `part`. It is the same for every process, so that the next process finds what a killed one has
/// left.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    /// The length in bytes from which a name is replaced by its hash. Most file systems allow names of 255
    /// bytes.
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
