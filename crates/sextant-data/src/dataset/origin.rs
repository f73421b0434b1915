//! The file and line of rows, kept in memory in few bytes.

use crate::{DataError, Dataset, RowProblem};
use crate::{Labels, ReadOptions, RowReader, RowUnit};
use sextant_core::{Example, Split};
use std::path::{Path, PathBuf};

/// The file and line of a row, in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowOrigin {
    /// The index of the row's file in a list of names such as [`FileNames::names`].
    pub file: u16,
    /// The line, or the row of a Parquet file, from 1. The largest number also stands for all larger ones.
    pub line: u32,
}

impl RowOrigin {
    /// The origin of a row. A number that is too large becomes the largest possible one.
    pub fn new(file: usize, line: u64) -> Self {
        Self {
            file: u16::try_from(file).unwrap_or(u16::MAX),
            line: u32::try_from(line).unwrap_or(u32::MAX),
        }
    }

    /// The origin as text, such as `train.jsonl line 101`.
    pub fn describe(self, files: &[String]) -> String {
        let file = files.get(usize::from(self.file)).map_or("row", String::as_str);
        let beyond = if self.line == u32::MAX { " or beyond" } else { "" };
        format!("{file} {}{beyond}", self.line)
    }
}

/// The names of files, numbered in the order in which their rows are read.
#[derive(Debug, Default)]
pub struct FileNames {
    paths: Vec<PathBuf>,
    names: Vec<String>,
    last: usize,
}

impl FileNames {
    /// The name of each file, followed by the unit in which its rows are counted, such as `train.jsonl line`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The origin of a row; its file is added to the names if it is new.
    pub fn origin(&mut self, path: &Path, unit: RowUnit, line: u64) -> RowOrigin {
        if self.paths.get(self.last).is_none_or(|last| last != path) {
            let known = self.paths.iter().position(|other| other == path);
            self.last = known.unwrap_or_else(|| {
                self.names.push(format!("{} {unit}", path.display()));
                self.paths.push(path.to_owned());
                self.paths.len() - 1
            });
        }
        RowOrigin::new(self.last, line)
    }
}

/// The names and texts of a row's columns without a meaning.
type Further = Vec<(String, String)>;

/// A dataset in memory, with the file and line of every row.
#[derive(Debug, Default)]
pub struct LoadedDataset {
    /// The rows.
    pub dataset: Dataset,
    origins: [Vec<RowOrigin>; Split::ALL.len()],
    further: [Vec<Further>; Split::ALL.len()],
    names: FileNames,
}

impl LoadedDataset {
    /// Loads a dataset as [`Dataset::load`] does.
    ///
    /// # Errors
    /// The errors of [`Dataset::load`].
    pub fn load(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        let mut loaded = Self::default();
        Dataset::visit(path, options, &Split::ALL, |row| {
            let origin = loaded.names.origin(row.path, row.unit, row.line);
            loaded.origins[row.split as usize].push(origin);
            if options.further {
                loaded.further[row.split as usize].push(row.further);
            }
            loaded.dataset.part_mut(row.split).push(row.example);
            Ok::<_, DataError>(())
        })?;
        Ok(loaded)
    }

    /// The names of the dataset's files; see [`FileNames::names`].
    pub fn files(&self) -> &[String] {
        self.names.names()
    }

    /// The origin of each row of a split.
    pub fn origins(&self, split: Split) -> &[RowOrigin] {
        &self.origins[split as usize]
    }

    /// The origin of a row of a split as text, such as `train.jsonl line 101`.
    pub fn origin(&self, split: Split, row: usize) -> String {
        self.origins(split)[row].describe(self.files())
    }

    /// The rows of one split, with their origins.
    pub fn into_part(mut self, split: Split) -> LabelledRows {
        LabelledRows {
            examples: std::mem::take(self.dataset.part_mut(split)),
            origins: std::mem::take(&mut self.origins[split as usize]),
            further: std::mem::take(&mut self.further[split as usize]),
            names: self.names,
        }
    }
}

/// Labelled rows in memory, with the file and line of each.
#[derive(Debug, Default)]
pub struct LabelledRows {
    examples: Vec<Example>,
    origins: Vec<RowOrigin>,
    /// The columns without a meaning of each row, if they were asked for.
    further: Vec<Further>,
    names: FileNames,
}

impl LabelledRows {
    /// Reads all labelled pairs of an input, whatever splits they state.
    ///
    /// # Errors
    /// See [`DataError`]; the first row that cannot be used ends the reading.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        let options = ReadOptions { labels: Labels::Required, ..options.clone() };
        let mut reader = RowReader::open(path, &options)?;
        let mut rows = Self::default();
        while let Some(row) = reader.next() {
            let mut row = row?;
            let further = std::mem::take(&mut row.further);
            let missing =
                || reader.error(row.line, Some("grade"), RowProblem::Missing { task: false });
            let grade = row.grade.ok_or_else(missing)?;
            rows.origins.push(rows.names.origin(reader.path(), reader.unit(), row.line));
            rows.examples.push(row.with_grade(grade));
            if options.further {
                rows.further.push(further);
            }
        }
        Ok(rows)
    }

    /// The rows.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// The rows without their origins.
    pub fn into_examples(self) -> Vec<Example> {
        self.examples
    }

    /// The origin of a row as text, such as `pairs.csv line 17`.
    pub fn origin(&self, row: usize) -> String {
        self.origins[row].describe(self.names.names())
    }

    /// The columns without a meaning, in the order of their first values: the name of each, and its text in every
    /// row. Empty unless [`ReadOptions::further`] asked for them.
    pub fn columns(&self) -> Vec<(String, Vec<Option<String>>)> {
        let mut columns: Vec<(String, Vec<Option<String>>)> = Vec::new();
        for (row, further) in self.further.iter().enumerate() {
            for (name, text) in further {
                let known = columns.iter().position(|(known, _)| known == name);
                let at = known.unwrap_or_else(|| {
                    columns.push((name.clone(), vec![None; self.further.len()]));
                    columns.len() - 1
                });
                columns[at].1[row] = Some(text.clone());
            }
        }
        columns
    }

    /// Keeps the rows for which `keep` is true, and drops the others.
    pub fn retain(&mut self, keep: impl Fn(&Example) -> bool) {
        let kept: Vec<bool> = self.examples.iter().map(keep).collect();
        let (mut example, mut origin, mut further) = (kept.iter(), kept.iter(), kept.iter());
        self.examples.retain(|_| example.next() == Some(&true));
        self.origins.retain(|_| origin.next() == Some(&true));
        self.further.retain(|_| further.next() == Some(&true));
    }
}

/// Reads all labelled pairs of an input. [`LabelledRows`] also keeps the file and line of each row.
///
/// # Errors
/// See [`DataError`]; the first row that cannot be used ends the reading.
pub fn read_examples(
    path: impl AsRef<Path>,
    options: &ReadOptions,
) -> Result<Vec<Example>, DataError> {
    Ok(LabelledRows::read(path, options)?.into_examples())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_in_words() {
        let files = ["a.csv line".to_owned(), "b.parquet row".to_owned()];
        assert_eq!(RowOrigin::new(0, 7).describe(&files), "a.csv line 7");
        assert_eq!(RowOrigin::new(1, 1).describe(&files), "b.parquet row 1");
        let far = RowOrigin::new(1 << 20, 1 << 40).describe(&files);
        assert_eq!(far, "row 4294967295 or beyond");
    }

    #[test]
    fn rows_keep_their_origin_when_others_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let row = |left: &str| {
            format!(r#"{{"task": "query-query", "left": "{left}", "right": "y", "grade": 1}}"#)
        };
        std::fs::write(&path, [row("a"), String::new(), row("b"), row("c")].join("\n")).unwrap();
        let mut rows = LabelledRows::read(&path, &ReadOptions::default()).unwrap();
        rows.retain(|example| example.pair.left.text() != "b");
        assert_eq!(rows.examples().len(), 2);
        assert_eq!(rows.origin(0), format!("{} line 1", path.display()));
        assert_eq!(rows.origin(1), format!("{} line 4", path.display()));
    }
}
