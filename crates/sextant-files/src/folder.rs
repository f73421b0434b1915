//! Folders that are either whole or absent.

use crate::disk::{self, beside, folder_of};
use crate::{Existing, FileError, Lock};
use std::ffi::OsString;
use std::path::Path;

/// A kind of folder: the names of the files and folders that this program writes into it.
#[derive(Debug, Clone, Copy)]
pub struct FolderKind {
    /// The names that this program writes directly into such a folder. Anything under another name belongs to
    /// the user and is kept when the folder is replaced.
    pub names: &'static [&'static str],
    /// The name of the file that marks the folder as whole: a reader ignores a folder without it.
    pub head: &'static str,
}

/// Lets `fill` write into a new, empty folder, and then puts this folder in the place of `folder`. If `fill`
/// fails, the old folder stays as it was.
///
/// Everything in the new folder is synced to the disk before the folder is put in its place, and its new name
/// is synced before this function returns, so that a power failure leaves either the old folder or the new one,
/// whole. If `folder` is empty, or if it is or contains the current directory, it is not exchanged: the files
/// are moved into it one by one, so that it keeps its permissions and its mounts. In that case, the
/// [head](FolderKind::head) is removed first and moved last, so that no reader takes a part for the whole.
///
/// Nothing that belongs to the user is removed: everything that `kind` does not name is carried over into the
/// new folder.
///
/// # Errors
/// The folder exists and holds something that may not be replaced; another process is writing it; `fill` fails;
/// or an operation of the file system fails.
///
/// ```
/// use sextant_files::{Existing, FileError, FolderKind, replace_folder};
/// use std::path::Path;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// const KIND: FolderKind = FolderKind { names: &["index.json", "rows.txt"], head: "index.json" };
///
/// let place = tempfile::tempdir()?;
/// let folder = place.path().join("out");
/// replace_folder(&folder, Existing::Refuse, KIND, |new: &Path| -> Result<(), FileError> {
///     for (name, text) in [("rows.txt", "red sofa\n"), ("index.json", "{}\n")] {
///         let path = new.join(name);
///         std::fs::write(&path, text).map_err(FileError::io("write", &path))?;
///     }
///     Ok(())
/// })?;
/// assert_eq!(std::fs::read_to_string(folder.join("rows.txt"))?, "red sofa\n");
/// # Ok(())
/// # }
/// ```
pub fn replace_folder<E: From<FileError>>(
    folder: &Path,
    existing: Existing,
    kind: FolderKind,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |action| FileError::io(action, folder);
    let named = folder;
    // A link is followed, and `.` becomes a path with the folder's real name.
    let found = folder.canonicalize();
    let folder = found.as_deref().unwrap_or(folder);
    let parent = folder_of(folder);
    if !folder.exists() {
        std::fs::create_dir_all(parent).map_err(FileError::io("create", parent))?;
    } else if !folder.is_dir() {
        Err(FileError::Unusable {
            action: "write",
            path: named.to_owned(),
            problem: "there is something other than a folder at this path; name a folder".into(),
        })?;
    }
    for place in [folder, parent] {
        let me = Lock::me();
        if let Some(holder) = Lock::holder(place).filter(|holder| *holder != me) {
            Err(FileError::InUse { path: named.to_owned(), holder })?;
        }
    }
    let there = names_in(folder).map_err(failed("read"))?;
    existing.admit(named, (!there.is_empty()).then(|| listed(&there)))?;
    if folder.exists() && (there.is_empty() || is_current(folder)) {
        let _lock = Lock::folder(folder)?;
        let staging = beside(&folder.join("folder"), "new");
        fill_new(&staging, fill, named)?;
        return Ok(move_up(&staging, folder, kind).map_err(failed("write"))?);
    }
    let _lock = Lock::beside(folder)?;
    let [staging, aside] = ["new", "old"].map(|suffix| beside(folder, suffix));
    // A process was stopped between the two renames that replace an exchange of folders, on a file system that
    // cannot exchange them.
    if !folder.exists() && aside.exists() {
        disk::rename(&aside, folder).map_err(failed("restore"))?;
    }
    fill_new(&staging, fill, named)?;
    if folder.exists() {
        carry_over(folder, &staging, kind).map_err(failed("replace"))?;
        disk::sync_tree(&staging).map_err(failed("write"))?;
        disk::exchange(&staging, folder, &aside).map_err(failed("replace"))?;
    } else {
        disk::sync_tree(&staging).map_err(failed("write"))?;
        disk::rename(&staging, folder).map_err(failed("write"))?;
    }
    disk::sync_folder(parent).map_err(failed("write"))?;
    // After the exchange, the old folder, if there was one, has the temporary name. If it cannot be removed
    // now, it is removed when the folder is written the next time.
    let _ = disk::remove_folder(&staging);
    Ok(())
}

/// Removes everything that `kind` names from a folder, the head first, and then the folder itself if it is
/// empty.
///
/// # Errors
/// An operation of the file system fails.
pub fn remove_folder(folder: &Path, kind: FolderKind) -> Result<(), FileError> {
    let failed = || FileError::io("remove", folder);
    if !folder.is_dir() {
        return Ok(());
    }
    remove(&folder.join(kind.head)).and_then(|()| disk::sync_folder(folder)).map_err(failed())?;
    for name in kind.names {
        remove(&folder.join(name)).map_err(failed())?;
    }
    if names_in(folder).map_err(failed())?.is_empty() {
        disk::remove_folder(folder).map_err(failed())?;
    }
    Ok(())
}

/// Creates an empty folder, in place of one that a killed process may have left, and lets `fill` write into it.
/// If `fill` fails, the folder is removed again.
fn fill_new<E: From<FileError>>(
    staging: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
    named: &Path,
) -> Result<(), E> {
    disk::remove_folder(staging)
        .and_then(|()| disk::create_folder(staging))
        .map_err(FileError::io("write", named))?;
    fill(staging).inspect_err(|_| {
        let _ = disk::remove_folder(staging);
    })
}

/// Moves everything in `staging` into `folder`, where it replaces everything that `kind` names.
fn move_up(staging: &Path, folder: &Path, kind: FolderKind) -> std::io::Result<()> {
    disk::sync_tree(staging)?;
    let new = names_in(staging)?;
    let head = OsString::from(kind.head);
    remove(&folder.join(&head))?;
    disk::sync_folder(folder)?;
    for old in kind.names {
        remove(&folder.join(old))?;
    }
    for name in new.iter().filter(|&name| *name != head) {
        disk::rename(&staging.join(name), &folder.join(name))?;
    }
    // A move from one folder into another is durable once both folders are synced.
    disk::sync_folder(staging)?;
    disk::sync_folder(folder)?;
    if new.contains(&head) {
        disk::rename(&staging.join(&head), &folder.join(&head))?;
        disk::sync_folder(staging)?;
        disk::sync_folder(folder)?;
    }
    disk::remove_folder(staging)?;
    disk::sync_folder(folder)
}

fn remove(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(data) if data.is_dir() => disk::remove_folder(path),
        _ => disk::remove_file(path),
    }
}

/// Links everything that `kind` does not name into the new folder too.
fn carry_over(old: &Path, new: &Path, kind: FolderKind) -> std::io::Result<()> {
    for name in names_in(old)? {
        let to = new.join(&name);
        let ours = kind.names.iter().any(|&of_kind| name == of_kind);
        if !ours && to.symlink_metadata().is_err() {
            link_tree(&old.join(&name), &to)?;
        }
    }
    Ok(())
}

/// Creates a hard link to a file, or to every file below a folder.
fn link_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    let data = from.symlink_metadata()?;
    if data.is_dir() {
        std::fs::create_dir(to)?;
        std::fs::set_permissions(to, data.permissions())?;
        for entry in std::fs::read_dir(from)? {
            let name = entry?.file_name();
            link_tree(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    // Not every file system has hard links.
    if std::fs::hard_link(from, to).is_err() && data.is_file() {
        std::fs::copy(from, to)?;
    }
    if to.symlink_metadata().is_err() {
        return Err(std::io::Error::other(format!(
            "{} is not part of it and cannot be carried over; move it away",
            from.display()
        )));
    }
    Ok(())
}

/// The names in a folder, sorted, without those that exist only while this program writes. There are none if
/// the folder does not exist.
fn names_in(folder: &Path) -> std::io::Result<Vec<OsString>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let names = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names.collect::<std::io::Result<Vec<_>>>()?;
    names.retain(|name| name != ".sextant-lock" && name != ".sextant-folder.new");
    names.sort();
    Ok(names)
}

/// A description of a folder by the first of its names, for a message.
fn listed(names: &[OsString]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(|name| name.to_string_lossy().into_owned());
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = if names.len() > SHOWN {
        format!(" and {} more", names.len() - SHOWN)
    } else {
        String::new()
    };
    format!("a folder with {shown}{more}")
}

/// Whether the current directory is the folder or lies below it. The user's shell may be there too, and would
/// be in a removed folder if this one were replaced.
fn is_current(folder: &Path) -> bool {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    here.is_ok_and(|here| here.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: FolderKind = FolderKind { names: &["head", "body", "tail"], head: "head" };

    fn fill(
        text: &'static str,
        names: &'static [&'static str],
    ) -> impl Fn(&Path) -> Result<(), FileError> {
        move |staging| {
            for name in names {
                std::fs::write(staging.join(name), text)
                    .map_err(FileError::io("write", staging))?;
            }
            Ok(())
        }
    }

    fn read(folder: &Path) -> Vec<(String, String)> {
        let names = names_in(folder).unwrap().into_iter();
        names
            .map(|name| {
                let text = std::fs::read_to_string(folder.join(&name)).unwrap_or("folder".into());
                (name.into_string().unwrap(), text)
            })
            .collect()
    }

    fn pairs(found: &[(&str, &str)]) -> Vec<(String, String)> {
        found.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    #[test]
    fn new_then_replaced_and_the_users_files_stay() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/out");
        replace_folder(&folder, Existing::Refuse, KIND, fill("1", &["head", "body"])).unwrap();
        assert_eq!(read(&folder), pairs(&[("body", "1"), ("head", "1")]));

        std::fs::write(folder.join("notes.md"), "mine").unwrap();
        std::fs::create_dir_all(folder.join("mine/too")).unwrap();
        std::fs::write(folder.join("mine/too/x"), "deep").unwrap();
        let again =
            |existing| replace_folder(&folder, existing, KIND, fill("2", &["head", "tail"]));
        let error = again(Existing::Refuse).unwrap_err().to_string();
        assert!(
            error.contains("body, head, mine, notes.md") && error.contains("--overwrite"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(folder.join("head")).unwrap(), "1");

        again(Existing::Overwrite).unwrap();
        let expected = [("head", "2"), ("mine", "folder"), ("notes.md", "mine"), ("tail", "2")];
        assert_eq!(read(&folder), pairs(&expected));
        assert_eq!(std::fs::read_to_string(folder.join("mine/too/x")).unwrap(), "deep");
        assert_eq!(std::fs::read_dir(place.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("out");
        replace_folder(&folder, Existing::Refuse, KIND, fill("1", &["head"])).unwrap();
        let failing = |_: &Path| {
            Err(FileError::Unusable { action: "do", path: "x".into(), problem: "no".into() })
        };
        assert!(replace_folder(&folder, Existing::Own, KIND, failing).is_err());
        assert_eq!(read(&folder), pairs(&[("head", "1")]));
        let empty = place.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        assert!(replace_folder(&empty, Existing::Own, KIND, failing).is_err());
        assert_eq!(read(&empty), []);
        assert_eq!(read(place.path()).len(), 2);
    }

    #[test]
    #[cfg(unix)]
    fn an_empty_folder_stays_the_one_that_it_is() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("out");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o2750)).unwrap();
        let before = folder.metadata().unwrap();
        replace_folder(&folder, Existing::Refuse, KIND, fill("1", &["head", "body"])).unwrap();
        let after = folder.metadata().unwrap();
        assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
        assert_eq!(read(&folder), pairs(&[("body", "1"), ("head", "1")]));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        // A new folder has the usual permissions, and is not private like a temporary folder.
        let [ours, plain] = ["ours", "plain"].map(|name| place.path().join(name));
        std::fs::create_dir(&plain).unwrap();
        replace_folder(&ours, Existing::Refuse, KIND, fill("1", &["head"])).unwrap();
        assert_eq!(ours.metadata().unwrap().mode(), plain.metadata().unwrap().mode());
    }

    #[test]
    fn what_a_dead_process_left_goes() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("out");
        std::fs::create_dir(place.path().join(".sextant-out.new")).unwrap();
        std::fs::write(place.path().join(".sextant-out.new/half"), "x").unwrap();
        replace_folder(&folder, Existing::Refuse, KIND, fill("1", &["head"])).unwrap();
        assert_eq!(read(&folder), pairs(&[("head", "1")]));
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
    }

    #[test]
    fn one_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        for name in ["absent", "empty"] {
            let folder = place.path().join(name);
            if name == "empty" {
                std::fs::create_dir(&folder).unwrap();
            }
            let inner = |staging: &Path| {
                let error = replace_folder(&folder, Existing::Own, KIND, fill("2", &["head"]));
                assert!(matches!(error, Err(FileError::InUse { .. })), "{error:?}");
                fill("1", &["head"])(staging)
            };
            replace_folder(&folder, Existing::Own, KIND, inner).unwrap();
            assert_eq!(read(&folder), pairs(&[("head", "1")]));
        }
    }
}
