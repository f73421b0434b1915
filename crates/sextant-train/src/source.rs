//! Where training and dev rows come from.

use crate::TrainError;
use sextant_core::{Example, Split};
use sextant_data::{Dataset, FileNames, LoadedDataset, ReadOptions, RowOrigin};
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
        self.names.borrow().names().to_vec()
    }

    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError> {
        Dataset::visit(&self.path, &self.options, splits, |row| {
            let origin = self.names.borrow_mut().origin(row.path, row.unit, row.line);
            visit(SourceRow { split: row.split, origin, example: Cow::Owned(row.example) })
        })
    }
}

impl ExampleSource for LoadedDataset {
    fn files(&self) -> Vec<String> {
        LoadedDataset::files(self).to_vec()
    }

    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError> {
        for &split in Split::ALL.iter().filter(|split| splits.contains(split)) {
            let rows = self.dataset.part(split).iter().zip(self.origins(split));
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
