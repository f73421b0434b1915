//! The files of a dataset, and the other files in its folder.

use super::name::{Name, PartName};
use crate::{DataError, Format, input};
use serde::Serialize;
use sextant_core::Split;
use sextant_files::Unfinished;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The files that a dataset is read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataFiles {
    /// The files that are read, in the order of the splits and then by name. Each has the split that its name
    /// states; `None` if the dataset is not a folder.
    pub parts: Vec<(Option<Split>, PathBuf)>,
    /// The other files and folders in the same folder, without hidden ones.
    pub unread: Vec<UnreadFile>,
}

/// A file or folder in a dataset's folder that is not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadFile {
    /// The name of the file or folder.
    pub name: String,
    /// Why it may be meant as a part of the dataset; `None` if it is clearly something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspect: Option<String>,
}

/// A file or folder that is a part of the dataset.
struct Found {
    path: PathBuf,
    name: String,
    format: Option<Format>,
    shard: Option<super::name::Shard>,
    word: String,
    split: Split,
}

impl DataFiles {
    /// Finds the files of a folder, or of another path whose rows state their split.
    ///
    /// # Errors
    /// The folder has no part, or several parts under different names for one split, or an incomplete part: a
    /// dangling link or a missing shard.
    pub fn find(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        if !path.is_dir() {
            let parts = input::parts_of(path)?.into_iter().map(|part| (None, part)).collect();
            return Ok(Self { parts, unread: Vec::new() });
        }
        if Unfinished::is_at(path) {
            let problem = "a command that wrote it did not come to its end, or has not yet: parts of two data sets may be in it; run that command again";
            return Err(DataError::unusable(path, problem));
        }
        let (found, unread) = list(path)?;
        let mut files = Self { parts: Vec::new(), unread };
        for split in Split::ALL {
            let these: Vec<&Found> = found.iter().filter(|part| part.split == split).collect();
            check_one_spelling(path, &these)?;
            for part in these {
                let paths = match part.format {
                    Some(_) => vec![part.path.clone()],
                    None => input::parts_of(&part.path)?,
                };
                files.parts.extend(paths.into_iter().map(|path| (Some(split), path)));
            }
        }
        if files.parts.is_empty() {
            let names: Vec<_> =
                files.unread.iter().map(|file| format!("`{}`", file.name)).collect();
            let has = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            let problem = format!(
                "no train, dev or test file (.jsonl, .csv, .tsv, .parquet) in this folder; it has {has}"
            );
            return Err(DataError::unusable(path, problem));
        }
        Ok(files)
    }
}

impl DataFiles {
    /// The names of the parts in a folder; empty if the folder does not exist.
    pub(super) fn names(folder: &Path) -> Result<Vec<String>, DataError> {
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        Ok(list(folder)?.0.into_iter().map(|part| part.name).collect())
    }
}

/// The entries of a folder: those that are parts, sorted by name, and the others.
fn list(folder: &Path) -> Result<(Vec<Found>, Vec<UnreadFile>), DataError> {
    let read = |source| DataError::read(folder, source);
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        names.insert(entry.map_err(read)?.file_name().to_string_lossy().into_owned());
    }
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for name in names.into_iter().filter(|name| input::is_part_name(name)) {
        let path = folder.join(&name);
        let metadata = std::fs::metadata(&path);
        let is_folder = metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        let suspect = match (Name::of(&name, is_folder), metadata) {
            (Name::Part(_), Err(source)) => {
                let problem = format!("`{name}` leads nowhere ({source}); mend the link");
                return Err(DataError::unusable(folder, problem));
            }
            (Name::Part(PartName { split, word, format, shard }), Ok(_)) => {
                let word = word.to_owned();
                found.push(Found { path, name, format, shard, word, split });
                continue;
            }
            (Name::Suspect(why), _) => Some(why.to_owned()),
            (Name::Other, Ok(_)) if is_folder && holds_data(&path) => {
                Some("it is a folder with data files; give its path to read them".to_owned())
            }
            (Name::Other, _) => None,
        };
        unread.push(UnreadFile { name, suspect });
    }
    Ok((found, unread))
}

/// Whether a folder has files with the extension of a known format.
fn holds_data(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| Format::of_input(&path).is_some())
}

/// Checks that a split consists of one file, one folder, or all shards of one name and format.
fn check_one_spelling(folder: &Path, parts: &[&Found]) -> Result<(), DataError> {
    let fail = |problem: String| Err(DataError::unusable(folder, problem));
    let [first, rest @ ..] = parts else { return Ok(()) };
    let of = |part: &Found| part.shard.and_then(|shard| shard.of);
    let other = rest.iter().find(|part| {
        let shards = part.shard.is_some() && first.shard.is_some();
        !shards || part.word != first.word || part.format != first.format || of(part) != of(first)
    });
    if let Some(other) = other {
        let (one, two) = (&first.name, &other.name);
        return fail(format!("both {one} and {two} are there; keep one of them"));
    }
    let mut numbers = BTreeSet::new();
    for part in parts {
        if part.shard.is_some_and(|shard| !numbers.insert(shard.number)) {
            return fail(format!("{} is there twice, under two spellings; keep one", part.name));
        }
    }
    // Shards are numbered from 0 or from 1. If their names do not state the total, a missing shard after the
    // last one cannot be noticed.
    let (start, end) = match (of(first), numbers.first(), numbers.last()) {
        (Some(of), Some(&least), _) => {
            let start = usize::from(least > 0 && !numbers.contains(&0) && numbers.contains(&of));
            (start, start + of)
        }
        (None, Some(&least), Some(&last)) => (least, last + 1),
        _ => return Ok(()),
    };
    match (start..end).find(|number| !numbers.contains(number)) {
        Some(missing) => fail(format!(
            "shard {missing} of {} is missing beside {}; copy it here, or name the shards anew",
            first.word, first.name
        )),
        None => Ok(()),
    }
}
