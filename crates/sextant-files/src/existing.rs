//! What happens to what is at an output's place already.

use crate::FileError;
use std::path::Path;

/// Whether something that is at a place already may be replaced.
///
/// An empty file and an empty folder are nothing to lose: they never stand in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It stays, and writing there is an error.
    #[default]
    Refuse,
    /// The user said that it may go; a warning says what it was.
    Overwrite,
    /// The caller knows that it is this program's own: it is replaced without a word.
    Own,
}

impl Existing {
    /// Looks early whether something is at the place of a file or a folder that would be refused when it
    /// is written.
    ///
    /// # Errors
    /// Something is there and must stay.
    pub fn check(self, path: &Path) -> Result<(), FileError> {
        let Ok(data) = path.metadata() else { return Ok(()) };
        let there = match path.read_dir() {
            Ok(mut entries) => entries.next().map(|_| "a folder with files".to_owned()),
            // What is neither a file nor a folder (a pipe, a device) is written to, not replaced.
            Err(_) => Self::file_at(path).filter(|_| data.is_file()),
        };
        if self == Self::Refuse { self.admit(path, there) } else { Ok(()) }
    }

    /// Looks at what is at a place before something is written there.
    ///
    /// # Errors
    /// Something is there and must stay.
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

    /// What a file is that would be lost; none for one that is absent or empty.
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
