//! The parts of an input, which can be read a second time.

use crate::{Content, DataError, Format, Input, Part, ReadOptions};
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};

/// The parts of an input, in their order.
pub(super) enum Parts {
    /// Opened one after another from the input.
    Live(Input),
    /// Copied to temporary files, because a pipe gives its bytes only once.
    Copied { format: Format, copies: Vec<(PathBuf, File)>, next: usize },
}

impl Parts {
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        Ok(Self::Live(Input::open(path, options)?))
    }

    pub(super) fn format(&self) -> Format {
        match self {
            Self::Live(input) => input.format(),
            Self::Copied { format, .. } => *format,
        }
    }

    pub(super) fn number(&self) -> usize {
        match self {
            Self::Live(input) => input.parts().len(),
            Self::Copied { copies, .. } => copies.len(),
        }
    }

    /// Whether the parts can be opened a second time and then give the same rows.
    pub(super) fn is_reopenable(&self) -> bool {
        match self {
            Self::Live(input) => input.is_reopenable(),
            Self::Copied { .. } => true,
        }
    }

    /// The error for an input without parts.
    pub(super) fn is_empty(&self) -> DataError {
        let path = match self {
            Self::Live(input) => input.path(),
            Self::Copied { .. } => Path::new("-"),
        };
        DataError::unusable(path, "there are no data files in it")
    }

    /// Parts of text that [`Parts::again`] can open again. Parts that are not ordinary files are copied to
    /// temporary files, which have no names.
    pub(super) fn kept(self) -> Result<Self, DataError> {
        let input = match self {
            Self::Live(input) if !input.is_reopenable() => input,
            other => return Ok(other),
        };
        let format = input.format();
        let mut copies = Vec::new();
        for part in input {
            let Part { path, content } = part?;
            let Content::Text(mut text) = content else {
                return Err(DataError::unusable(&path, "a table cannot be copied"));
            };
            let copied = tempfile::tempfile().and_then(|mut file| {
                std::io::copy(&mut text, &mut file)?;
                Ok(file)
            });
            let copy = copied.map_err(|source| DataError::read(&path, source))?;
            copies.push((path, copy));
        }
        Ok(Self::Copied { format, copies, next: 0 })
    }

    /// The same parts, starting again with the first.
    pub(super) fn again(&self, options: &ReadOptions) -> Result<Self, DataError> {
        Ok(match self {
            Self::Live(input) => Self::open(input.path(), options)?,
            Self::Copied { format, copies, .. } => {
                let again = |(path, file): &(PathBuf, File)| {
                    let file = file.try_clone().map_err(|source| DataError::read(path, source))?;
                    Ok((path.clone(), file))
                };
                let copies = copies.iter().map(again).collect::<Result<_, DataError>>()?;
                Self::Copied { format: *format, copies, next: 0 }
            }
        })
    }
}

impl Iterator for Parts {
    type Item = Result<Part, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Live(input) => input.next(),
            Self::Copied { copies, next, .. } => {
                let (path, file) = copies.get(*next)?;
                *next += 1;
                // Clones of a file handle share its position. This is no problem, because the clones are read
                // one after another, each from the start.
                let opened = file.try_clone().and_then(|mut file| {
                    file.rewind()?;
                    Ok(Content::Text(Box::new(BufReader::with_capacity(1 << 16, file))))
                });
                let part = opened.map(|content| Part { path: path.clone(), content });
                Some(part.map_err(|source| DataError::read(path, source)))
            }
        }
    }
}
