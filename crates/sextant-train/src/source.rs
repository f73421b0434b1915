//! Where training and dev rows come from.

use crate::TrainError;
use sextant_core::{Example, Split};
use sextant_data::{DataError, Dataset, DatasetRow, ReadOptions};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Examples that can be read as often as needed, each time in the same order.
///
/// A [`Dataset`] in memory is one, and so are [`DatasetFiles`], which are read again for each pass: that
/// keeps training from holding the texts of all rows.
pub trait ExampleSource {
    /// What [`RowOrigin::file`] counts, as far as was visited: the name of each file with the word for
    /// what its rows are numbered by, as `train.jsonl line`.
    fn files(&self) -> Vec<String>;

    /// Calls `visit` with every example of some splits. Its first error ends the visit.
    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError>;
}

/// What is done with each row.
pub type Visit<'v> = dyn FnMut(SourceRow<'_>) -> Result<(), TrainError> + 'v;

/// One row of a source.
#[derive(Debug)]
pub struct SourceRow<'a> {
    /// The split that it belongs to.
    pub split: Split,
    /// Where it stands.
    pub origin: RowOrigin,
    /// The row.
    pub example: Cow<'a, Example>,
}

/// Where a row stands, in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowOrigin {
    /// The position of its file in [`ExampleSource::files`].
    pub file: u16,
    /// The line, or the row of a Parquet file, from 1; the largest number stands for itself and all
    /// beyond.
    pub line: u32,
}

impl RowOrigin {
    /// The origin of a row; numbers beyond what it can hold become the largest.
    pub fn new(file: usize, line: u64) -> Self {
        Self {
            file: u16::try_from(file).unwrap_or(u16::MAX),
            line: u32::try_from(line).unwrap_or(u32::MAX),
        }
    }

    /// The origin in words, as `train.jsonl line 101`.
    pub fn describe(self, files: &[String]) -> String {
        let file = files.get(usize::from(self.file)).map_or("row", String::as_str);
        let beyond = if self.line == u32::MAX { " or beyond" } else { "" };
        format!("{file} {}{beyond}", self.line)
    }
}

impl ExampleSource for Dataset {
    /// Rows in memory have no file: they are numbered within their split.
    fn files(&self) -> Vec<String> {
        Split::ALL.map(|split| format!("{split} row")).to_vec()
    }

    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError> {
        for (file, split) in Split::ALL.into_iter().enumerate() {
            if !splits.contains(&split) {
                continue;
            }
            for (row, example) in self.part(split).iter().enumerate() {
                let origin = RowOrigin::new(file, row as u64 + 1);
                visit(SourceRow { split, origin, example: Cow::Borrowed(example) })?;
            }
        }
        Ok(())
    }
}

/// The files of a data set, read anew at each visit.
#[derive(Debug)]
pub struct DatasetFiles {
    path: PathBuf,
    options: ReadOptions,
    names: RefCell<FileNames>,
}

impl DatasetFiles {
    /// What a path stands for, as [`Dataset::load`] takes it.
    pub fn new(path: &Path, options: ReadOptions) -> Self {
        Self { path: path.to_owned(), options, names: RefCell::default() }
    }
}

impl ExampleSource for DatasetFiles {
    fn files(&self) -> Vec<String> {
        self.names.borrow().names.clone()
    }

    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError> {
        Dataset::visit(&self.path, &self.options, splits, |row| {
            let origin = self.names.borrow_mut().origin(&row);
            visit(SourceRow { split: row.split, origin, example: Cow::Owned(row.example) })
        })
    }
}

/// A data set in memory that knows the file and line of every row.
#[derive(Debug, Default)]
pub struct LoadedDataset {
    /// The rows.
    pub dataset: Dataset,
    origins: [Vec<RowOrigin>; Split::ALL.len()],
    files: Vec<String>,
}

impl LoadedDataset {
    /// As [`Dataset::load`].
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn load(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        let mut loaded = Self::default();
        let mut names = FileNames::default();
        Dataset::visit(path, options, &Split::ALL, |row| {
            loaded.origins[row.split as usize].push(names.origin(&row));
            loaded.dataset.part_mut(row.split).push(row.example);
            Ok::<_, DataError>(())
        })?;
        loaded.files = names.names;
        Ok(loaded)
    }

    /// Where a row of a split came from, as `train.jsonl line 101`.
    pub fn origin(&self, split: Split, row: usize) -> String {
        self.origins[split as usize][row].describe(&self.files)
    }
}

impl ExampleSource for LoadedDataset {
    fn files(&self) -> Vec<String> {
        self.files.clone()
    }

    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError> {
        for &split in Split::ALL.iter().filter(|split| splits.contains(split)) {
            let rows = self.dataset.part(split).iter().zip(&self.origins[split as usize]);
            for (example, &origin) in rows {
                visit(SourceRow { split, origin, example: Cow::Borrowed(example) })?;
            }
        }
        Ok(())
    }
}

/// A source that ends its visit when it is asked to.
pub struct StoppableSource<'a> {
    source: &'a dyn ExampleSource,
    ask: &'a dyn Fn() -> ControlFlow<()>,
}

impl<'a> StoppableSource<'a> {
    /// The rows of `source`, for as long as `ask`, which is called now and then, does not break.
    pub fn new(source: &'a dyn ExampleSource, ask: &'a dyn Fn() -> ControlFlow<()>) -> Self {
        Self { source, ask }
    }
}

impl ExampleSource for StoppableSource<'_> {
    fn files(&self) -> Vec<String> {
        self.source.files()
    }

    /// # Errors
    /// [`TrainError::Stopped`] when it was asked to stop.
    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError> {
        const EVERY: usize = 1000;
        let mut rows = 0_usize;
        self.source.visit(splits, &mut |row| {
            if rows.is_multiple_of(EVERY) && (self.ask)().is_break() {
                return Err(TrainError::Stopped);
            }
            rows += 1;
            visit(row)
        })
    }
}

/// Opens a data set for training: its files, to be read as often as needed; or, where they give their rows
/// only once (a pipe, standard input), the rows in memory.
///
/// # Errors
/// As [`Dataset::load`].
pub fn open_source(
    path: &Path,
    options: &ReadOptions,
) -> Result<Box<dyn ExampleSource>, TrainError> {
    let found = std::fs::metadata(path);
    let once =
        path == Path::new("-") || found.is_ok_and(|found| !found.is_file() && !found.is_dir());
    Ok(if once {
        Box::new(LoadedDataset::load(path, options)?)
    } else {
        Box::new(DatasetFiles::new(path, options.clone()))
    })
}

/// Numbers files in the order in which their rows come.
#[derive(Debug, Default)]
struct FileNames {
    paths: Vec<PathBuf>,
    names: Vec<String>,
    last: usize,
}

impl FileNames {
    fn origin(&mut self, row: &DatasetRow<'_>) -> RowOrigin {
        if self.paths.get(self.last).is_none_or(|last| last != row.path) {
            let known = self.paths.iter().position(|path| path == row.path);
            self.last = known.unwrap_or_else(|| {
                self.names.push(format!("{} {}", row.path.display(), row.unit));
                self.paths.push(row.path.to_owned());
                self.paths.len() - 1
            });
        }
        RowOrigin::new(self.last, row.line)
    }
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
}
