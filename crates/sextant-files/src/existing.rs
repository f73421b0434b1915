//! Whether an output may replace something that already exists at its path.

use crate::FileError;
use std::path::Path;

/// Whether something that already exists at a path may be replaced.
///
/// An empty file or an empty folder may always be replaced, because nothing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It is kept, and writing to the path is an error.
    #[default]
    Refuse,
    /// It is replaced, because the user allowed it; a warning names what was replaced.
    Overwrite,
    /// It is replaced without a warning, because the caller knows that it is this program's own.
    Own,
}

impl Existing {
    /// Checks, before any work is done, whether writing a file or folder at this path would be refused.
    ///
    /// # Errors
    /// Something exists at the path and must be kept.
    pub fn check(self, path: &Path) -> Result<(), FileError> {
        let Ok(data) = path.metadata() else { return Ok(()) };
        let there = match path.read_dir() {
            Ok(mut entries) => entries.next().map(|_| "a folder with files".to_owned()),
            // Something that is neither a file nor a folder (a pipe or a device) is written to and not
            // replaced.
            Err(_) => Self::file_at(path).filter(|_| data.is_file()),
        };
        if self == Self::Refuse { self.admit(path, there) } else { Ok(()) }
    }

    /// Decides whether a path may be written at which there is already something, described by `there`. Gives
    /// the warning of [`Existing::Overwrite`].
    ///
    /// # Errors
    /// Something exists at the path and must be kept.
    pub(crate) fn admit(self, path: &Path, there: Option<String>) -> Result<(), FileError> {
        let Some(what) = there else { return Ok(()) };
        match self {
            Self::Own => Ok(()),
            Self::Overwrite => {
                tracing::warn!("overwrites {}: {what}", path.display());
                Ok(())
            }
            Self::Refuse => Err(FileError::Unusable {
                action: "write",
                path: path.to_owned(),
                problem: format!(
                    "it is there already ({what}); add `--overwrite` to replace it, or name another place"
                ),
            }),
        }
    }

    /// A description of the file that would be lost; none if it is absent or empty.
    pub(crate) fn file_at(path: &Path) -> Option<String> {
        let data = path.symlink_metadata().ok()?;
        match data.len() {
            0 if data.is_file() => None,
            length if data.is_file() => Some(format!("{length} bytes")),
            _ if data.is_dir() => Some("a folder".to_owned()),
            _ => Some("a link or a device".to_owned()),
        }
    }
}
