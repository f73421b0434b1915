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
/// A [`Dataset`] holds its examples in memory. [`DatasetFiles`] reads its files again for each pass, so that
/// training does not hold the texts of all rows.
pub trait ExampleSource {
    /// The files visited so far, which [`RowOrigin::file`] indexes: the name of each file, followed by the
    /// unit in which its rows are counted, such as `train.jsonl line`.
    fn files(&self) -> Vec<String>;

    /// Calls `visit` with every example of `splits`. The first error that `visit` returns ends the pass.
    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError>;
}

/// The function that is called with each row.
pub type Visit<'v> = dyn FnMut(SourceRow<'_>) -> Result<(), TrainError> + 'v;

/// One row of a source.
#[derive(Debug)]
pub struct SourceRow<'a> {
    /// The split that the row belongs to.
    pub split: Split,
    /// The place of the row in the source.
    pub origin: RowOrigin,
    /// The example in the row.
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
    /// The files of the data set at a path, which [`Dataset::load`] would read.
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

/// A source whose visits can be stopped.
pub struct StoppableSource<'a> {
    source: &'a dyn ExampleSource,
    ask: &'a dyn Fn() -> ControlFlow<()>,
}

impl<'a> StoppableSource<'a> {
    /// Wraps `source`. `ask` is called now and then during a visit, which ends when `ask` breaks.
    pub fn new(source: &'a dyn ExampleSource, ask: &'a dyn Fn() -> ControlFlow<()>) -> Self {
        Self { source, ask }
    }
}

impl ExampleSource for StoppableSource<'_> {
    fn files(&self) -> Vec<String> {
        self.source.files()
    }

    /// # Errors
    /// [`TrainError::Stopped`] when `ask` breaks.
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

/// Opens a data set for training: its files, which are read as often as needed, or, if they can be read only
/// once (a pipe or standard input), the rows in memory.
///
/// # Errors
/// Those of [`Dataset::load`].
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
