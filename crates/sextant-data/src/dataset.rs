//! A dataset: three lists of examples, in a folder or in one file.

use crate::{DataError, Format, Labels, ReadOptions, RowProblem, RowReader, write_examples};
use sextant_core::{Example, Split};
use std::path::{Path, PathBuf};

/// Examples for training, for choices, and for reporting.
///
/// On disk: a folder with `train`, `dev` and `test` files of any format, or one file whose rows all
/// say their `split`. A part may be absent; ask with [`Dataset::require`] for what a job needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    /// Seen by the optimizer.
    pub train: Vec<Example>,
    /// For early stopping, calibration and other choices.
    pub dev: Vec<Example>,
    /// For reporting, once.
    pub test: Vec<Example>,
}

impl Dataset {
    /// Loads a folder or a single file. Every example then says its split.
    ///
    /// # Errors
    /// See [`DataError`]; a row that contradicts its file, or that says no split where only it
    /// could, is an error that names the row.
    pub fn load(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        let options = ReadOptions { labels: Labels::Required, ..options.clone() };
        let mut dataset = Self::default();
        for (part, path) in Self::files(path)? {
            let mut reader = RowReader::open(path, &options)?;
            while let Some(row) = reader.next() {
                let row = row?;
                let error = |column, problem| reader.error(row.line, Some(column), problem);
                let split = match (row.split, part) {
                    (Some(found), Some(expected)) if found != expected => {
                        return Err(error("split", RowProblem::WrongSplit { found, expected }));
                    }
                    (split, part) => split
                        .or(part)
                        .ok_or_else(|| error("split", RowProblem::Missing { task: false }))?,
                };
                let grade =
                    row.grade.ok_or_else(|| error("grade", RowProblem::Missing { task: false }))?;
                dataset
                    .part_mut(split)
                    .push(Example { split: Some(split), ..row.with_grade(grade) });
            }
        }
        Ok(dataset)
    }

    /// The files of a dataset, with the split that a file's name says; none for a single file.
    ///
    /// # Errors
    /// A folder without any part, or with a part in two formats.
    pub fn files(path: impl AsRef<Path>) -> Result<Vec<(Option<Split>, PathBuf)>, DataError> {
        let path = path.as_ref();
        if !path.is_dir() {
            return Ok(vec![(None, path.to_owned())]);
        }
        let fail = |problem| Err(DataError::Unusable { path: path.to_owned(), problem });
        let mut files = Vec::new();
        for split in Split::ALL {
            let names = Format::ALL.map(|format| format!("{split}.{}", format.extension()));
            let present: Vec<_> = names.iter().filter(|name| path.join(name).exists()).collect();
            match present[..] {
                [] => {}
                [name] => files.push((Some(split), path.join(name))),
                [one, two, ..] => {
                    return fail(format!("both {one} and {two} are there; keep one of them"));
                }
            }
        }
        if files.is_empty() {
            return fail(
                "no train, dev or test file (.jsonl, .csv, .tsv, .parquet) in this folder".into(),
            );
        }
        Ok(files)
    }

    /// Saves the parts as files of `format` into a folder, which is made if need be. The file name
    /// says the split. Parts that are empty get no file, and an older file of theirs is removed.
    ///
    /// # Errors
    /// The disk refuses. Each file is written whole or not at all.
    pub fn save(&self, folder: impl AsRef<Path>, format: Format) -> Result<(), DataError> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(|error| DataError::write(folder, error))?;
        for split in Split::ALL {
            let written = format!("{split}.{}", format.extension());
            if !self.part(split).is_empty() {
                write_examples(folder.join(&written), self.part(split))?;
            }
            for format in Format::ALL {
                let name = format!("{split}.{}", format.extension());
                let old = folder.join(&name);
                if (name != written || self.part(split).is_empty()) && old.exists() {
                    std::fs::remove_file(&old).map_err(|error| DataError::write(&old, error))?;
                }
            }
        }
        Ok(())
    }

    /// The examples of one split.
    pub fn part(&self, split: Split) -> &[Example] {
        match split {
            Split::Train => &self.train,
            Split::Dev => &self.dev,
            Split::Test => &self.test,
        }
    }

    /// The examples of one split, of which there must be some.
    ///
    /// # Errors
    /// [`DataError::EmptySplit`].
    pub fn require(&self, split: Split) -> Result<&[Example], DataError> {
        match self.part(split) {
            [] => Err(DataError::EmptySplit { split }),
            part => Ok(part),
        }
    }

    /// The list of one split.
    pub fn part_mut(&mut self, split: Split) -> &mut Vec<Example> {
        match split {
            Split::Train => &mut self.train,
            Split::Dev => &mut self.dev,
            Split::Test => &mut self.test,
        }
    }

    /// How many examples there are in all.
    pub fn len(&self) -> usize {
        Split::ALL.iter().map(|&split| self.part(split).len()).sum()
    }

    /// Whether there is no example at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
