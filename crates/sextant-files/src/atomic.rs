//! A file that appears whole or not at all.

use crate::FileError;
use crate::folder::{folder_of, sync_folder};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// A file under a temporary name, which [`AtomicFile::commit`] moves to its path.
///
/// Dropped before that, it leaves nothing behind, and what was at the path stays as it was.
#[derive(Debug)]
pub struct AtomicFile {
    file: BufWriter<File>,
    temporary: TempPath,
    path: PathBuf,
}

impl AtomicFile {
    /// Opens a temporary file in the folder of `path`. A link is followed: its target is replaced.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written to, or `path` is something other than a file.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let fail = || FileError::io("write", path);
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
        let folder = folder_of(&target);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".sextant-").suffix(".part");
        #[cfg(unix)]
        {
            // Readable as any new file is (the umask applies), not private as temporary files are.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let (file, temporary) = builder.tempfile_in(folder).map_err(fail())?.into_parts();
        let file = BufWriter::with_capacity(1 << 16, file);
        Ok(Self { file, temporary, path: target })
    }

    /// Where the file will appear.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings everything to the disk and moves the file to its path, replacing what was there.
    ///
    /// # Errors
    /// The disk refuses; nothing is left behind then.
    pub fn commit(self) -> Result<(), FileError> {
        let Self { file, temporary, path } = self;
        let fail = || FileError::io("write", &path);
        let file = file.into_inner().map_err(|error| fail()(error.into_error()))?;
        file.sync_all().map_err(fail())?;
        drop(file);
        temporary.persist(&path).map_err(|error| fail()(error.error))?;
        sync_folder(folder_of(&path)).map_err(fail())
    }

    /// For tests of writers: a file whose disk is full.
    ///
    /// # Errors
    /// As [`AtomicFile::create`], and where there is no `/dev/full`.
    #[doc(hidden)]
    pub fn create_on_full_disk(path: &Path) -> Result<Self, FileError> {
        let mut file = Self::create(path)?;
        let full = File::options().write(true).open("/dev/full");
        file.file = BufWriter::new(full.map_err(FileError::io("write", path))?);
        Ok(file)
    }
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

    #[test]
    fn appears_on_commit_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        let names = || std::fs::read_dir(&folder).unwrap().count();

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(names(), 0);

        for text in ["first", "second"] {
            let mut file = AtomicFile::create(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.commit().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(), 1);
        }
    }

    #[test]
    #[cfg(unix)]
    fn permissions_are_those_of_any_new_file_and_links_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [plain, ours, link] = ["plain", "ours", "link"].map(|name| folder.path().join(name));
        File::create(&plain).unwrap();
        AtomicFile::create(&ours).unwrap().commit().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&plain), mode(&ours));

        std::os::unix::fs::symlink(&plain, &link).unwrap();
        let mut file = AtomicFile::create(&link).unwrap();
        file.write_all(b"x").unwrap();
        file.commit().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&plain).unwrap(), "x");
    }

    #[test]
    fn folders_and_missing_folders_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none/out.txt")] {
            let error = AtomicFile::create(&path).unwrap_err().to_string();
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
        }
    }
}
