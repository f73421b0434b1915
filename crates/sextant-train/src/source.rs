//! Where training and dev rows come from.

use crate::TrainError;
use sextant_core::{Example, Split};
use sextant_data::Dataset;
use std::borrow::Cow;

/// Examples that can be read as often as needed, each time in the same order.
///
/// A [`Dataset`] in memory is one, and so are files that are read again for each pass, which keeps
/// training from holding the texts of all rows.
pub trait ExampleSource {
    /// What [`RowOrigin::file`] counts: the name of each file with the word for what its rows are
    /// numbered by, as `train.jsonl line`.
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
