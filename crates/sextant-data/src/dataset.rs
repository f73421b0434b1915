//! A dataset: the examples of three splits, stored in a folder or in one file.

mod files;
mod name;
mod origin;
mod save;

pub use save::DataFolder;

pub use files::{DataFiles, UnreadFile};
pub use origin::{FileNames, LabelledRows, LoadedDataset, RowOrigin, read_examples};

use crate::{DataError, Labels, ReadOptions, RowProblem, RowReader, RowUnit};
use sextant_core::{Example, Split};
use std::path::{Path, PathBuf};

/// Examples in three splits: for training, for making choices, and for reporting.
///
/// On disk a dataset is a folder with `train`, `dev` and `test` files of any format (or files with other
/// usual names, or shards), or one input whose rows all state their `split`. A split may be absent; a job
/// gets the splits that it needs with [`Dataset::require`].
///
/// ```
/// use sextant_core::Split;
/// use sextant_data::market::{ExampleConfig, Market, MarketConfig};
/// use sextant_data::{Dataset, check};
///
/// let config = MarketConfig { products: 200, queries: 300, ..MarketConfig::default() };
/// let market = Market::generate(&config)?;
/// let mut dataset = Dataset::default();
/// for example in market.examples(&ExampleConfig::equal(100))? {
///     let split = example.split.unwrap_or(Split::Train);
///     dataset.part_mut(split).push(example);
/// }
///
/// assert!(!dataset.require(Split::Test)?.is_empty());
/// let report = check(&dataset);
/// assert!(report.is_ok(), "{report}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    /// The examples that a model is trained on.
    pub train: Vec<Example>,
    /// The examples for early stopping, calibration and other choices.
    pub dev: Vec<Example>,
    /// The examples on which a final model is reported, once.
    pub test: Vec<Example>,
}

/// One row of a dataset, with the place that it was read from.
#[derive(Debug)]
pub struct DatasetRow<'a> {
    /// The split of the row.
    pub split: Split,
    /// The file of the row.
    pub path: &'a Path,
    /// Whether `line` counts lines of text or rows of a table.
    pub unit: RowUnit,
    /// The position of the row in the file, from 1.
    pub line: u64,
    /// The row.
    pub example: Example,
    /// See [`Row::further`](crate::Row::further).
    pub further: Vec<(String, String)>,
}

impl Dataset {
    /// Loads a folder or a single file. Every loaded example has its split set.
    ///
    /// # Errors
    /// See [`DataError`]. A row whose split differs from that of its file, or that has no split in a file
    /// that does not belong to one, is an error that names the row.
    pub fn load(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        let mut dataset = Self::default();
        Self::visit(path, options, &Split::ALL, |row| {
            dataset.part_mut(row.split).push(row.example);
            Ok::<_, DataError>(())
        })?;
        Ok(dataset)
    }

    /// Calls `visit` with every row of the given splits, in the order in which [`Dataset::load`] reads them,
    /// without keeping them in memory. Files whose name states another split are not opened.
    ///
    /// # Errors
    /// The errors of [`Dataset::load`], and an error of `visit`, which ends the reading.
    pub fn visit<E: From<DataError>>(
        path: impl AsRef<Path>,
        options: &ReadOptions,
        splits: &[Split],
        mut visit: impl FnMut(DatasetRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let options = ReadOptions { labels: Labels::Required, ..options.clone() };
        let files = DataFiles::find(path)?;
        for UnreadFile { name, suspect } in &files.unread {
            if let Some(why) = suspect {
                tracing::warn!("`{name}` is not read: {why}");
            }
        }
        for (part, path) in files.parts {
            if part.is_some_and(|part| !splits.contains(&part)) {
                continue;
            }
            let mut reader = RowReader::open(path, &options)?;
            while let Some(row) = reader.next() {
                let mut row = row?;
                let further = std::mem::take(&mut row.further);
                let error = |column, problem| reader.error(row.line, Some(column), problem);
                let split = match (row.split, part) {
                    (Some(found), Some(expected)) if found != expected => {
                        let problem = RowProblem::WrongSplit { found, expected };
                        return Err(error("split", problem).into());
                    }
                    (split, part) => split
                        .or(part)
                        .ok_or_else(|| error("split", RowProblem::Missing { task: false }))?,
                };
                let grade =
                    row.grade.ok_or_else(|| error("grade", RowProblem::Missing { task: false }))?;
                if splits.contains(&split) {
                    let (path, unit, line) = (reader.path(), reader.unit(), row.line);
                    let example = Example { split: Some(split), ..row.with_grade(grade) };
                    visit(DatasetRow { split, path, unit, line, example, further })?;
                }
            }
        }
        Ok(())
    }

    /// The files that a dataset is read from; see [`DataFiles::find`].
    ///
    /// # Errors
    /// The errors of [`DataFiles::find`].
    pub fn files(path: impl AsRef<Path>) -> Result<Vec<(Option<Split>, PathBuf)>, DataError> {
        Ok(DataFiles::find(path)?.parts)
    }

    /// The examples of one split.
    pub fn part(&self, split: Split) -> &[Example] {
        match split {
            Split::Train => &self.train,
            Split::Dev => &self.dev,
            Split::Test => &self.test,
        }
    }

    /// The examples of one split, which must not be empty.
    ///
    /// # Errors
    /// [`DataError::EmptySplit`] if it is.
    pub fn require(&self, split: Split) -> Result<&[Example], DataError> {
        match self.part(split) {
            [] => Err(DataError::EmptySplit { split }),
            part => Ok(part),
        }
    }

    /// The list of examples of one split, to change it.
    pub fn part_mut(&mut self, split: Split) -> &mut Vec<Example> {
        match split {
            Split::Train => &mut self.train,
            Split::Dev => &mut self.dev,
            Split::Test => &mut self.test,
        }
    }

    /// How many examples the splits have together.
    pub fn len(&self) -> usize {
        Split::ALL.iter().map(|&split| self.part(split).len()).sum()
    }

    /// Whether there is no example at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
