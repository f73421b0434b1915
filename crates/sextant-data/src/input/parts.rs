//! The files of a folder or of a pattern.

use crate::DataError;
use std::path::{Path, PathBuf};

/// The parts of a folder or of a pattern, sorted by name; `None` if `path` is a single file.
pub(super) fn of_path(path: &Path) -> Result<Option<Vec<PathBuf>>, DataError> {
    if path.as_os_str() != super::STANDARD_INPUT && path.is_dir() {
        return of_folder(path).map(Some);
    }
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
    match pattern {
        // A path with such a character is not a pattern if a file of exactly this name exists.
        Some(pattern) if path.symlink_metadata().is_err() => of_pattern(path, pattern).map(Some),
        _ => Ok(None),
    }
}

/// Whether a file of this name can hold rows. Hidden files do not, nor do the files that engines add to the
/// parts which they write (`_SUCCESS`, `_metadata`, `.part-0.crc`).
pub(crate) fn is_part_name(name: &str) -> bool {
    !name.starts_with(['.', '_'])
        && Path::new(name).extension().is_none_or(|extension| extension != "crc")
}

/// Whether a file at `path` is, or would be, one of the parts of a folder or a pattern.
pub fn is_among(parts: &Path, path: &Path) -> bool {
    let whole = |path: &Path| {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.canonicalize().ok()?,
            _ => Path::new(".").canonicalize().ok()?,
        };
        Some(folder.join(path.file_name()?))
    };
    let Some(path) = whole(path) else { return false };
    let is_part = path.file_name().is_some_and(|name| is_part_name(&name.to_string_lossy()));
    if parts.is_dir() {
        return is_part && parts.canonicalize().is_ok_and(|folder| path.parent() == Some(&*folder));
    }
    let pattern = parts.to_str().filter(|text| text.contains(['*', '?', '[']));
    let pattern = pattern.filter(|_| parts.symlink_metadata().is_err());
    let absolute = pattern.and_then(|_| std::path::absolute(parts).ok());
    absolute.and_then(|absolute| glob::Pattern::new(absolute.to_str()?).ok()).is_some_and(
        |pattern| {
            let options =
                glob::MatchOptions { require_literal_separator: true, ..Default::default() };
            is_part && pattern.matches_path_with(&path, options)
        },
    )
}

/// Whether a folder holds a file that is read: `input`, or a part of it if it is a folder or a pattern. Links are
/// followed. Whatever is written into such a folder may be taken for input the next time, or replace it.
pub fn holds_input(folder: &Path, input: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    let parts = of_path(input).ok().flatten().unwrap_or_else(|| vec![input.to_owned()]);
    let mut real = parts.iter().filter_map(|part| part.canonicalize().ok());
    real.any(|part| part.parent() == Some(&*folder))
}

fn of_folder(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let read = |source| DataError::read(folder, source);
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.file_name().is_some_and(|name| name == "_delta_log") {
            let problem = "a Delta table, whose folder also holds files of older versions; export \
                the version that you mean";
            return Err(DataError::unusable(folder, problem));
        }
        parts.push(path);
    }
    kept(folder, parts)
}

fn of_pattern(path: &Path, pattern: &str) -> Result<Vec<PathBuf>, DataError> {
    let found = glob::glob(pattern).map_err(|error| {
        DataError::unusable(path, format!("not a pattern of file names: {error}"))
    })?;
    let parts = found
        .map(|part| {
            part.map_err(|error| {
                let path = error.path().to_owned();
                DataError::read(&path, error.into())
            })
        })
        .collect::<Result<_, _>>()?;
    kept(path, parts)
}

/// The paths that are parts. A folder among them is an error, because its rows would be left out.
fn kept(whole: &Path, mut paths: Vec<PathBuf>) -> Result<Vec<PathBuf>, DataError> {
    paths.retain(|path| path.file_name().is_some_and(|name| is_part_name(&name.to_string_lossy())));
    if let Some(folder) = paths.iter().find(|path| path.is_dir()) {
        let problem = format!(
            "{} is a folder inside; name its parts with a pattern, such as `{}`",
            folder.display(),
            whole.join("**/*.parquet").display()
        );
        return Err(DataError::unusable(whole, problem));
    }
    if paths.is_empty() {
        return Err(DataError::unusable(whole, "there are no data files in it"));
    }
    paths.sort_unstable();
    Ok(paths)
}
