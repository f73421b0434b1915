//! Reads rows from files, one at a time.
//!
//! The reader of each format only turns its file into [`Record`]s: named JSON values with a line number. What
//! the values mean is decided in one place for all formats, in `parse`.

mod batches;
mod delimited;
mod json_fields;
mod jsonl;
mod lines;
mod parquet;
pub(crate) mod parse;

pub use batches::{Batch, BatchReader};
pub(crate) use delimited::{TextTable, separator_in, whole_table};

use crate::read_options::{Labels, ReadOptions};
use crate::{Content, DataError, Format, Input, Part, Row, RowError, RowProblem, RowUnit};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// One row before its values are interpreted.
struct Record {
    line: u64,
    fields: Map<String, Value>,
}

type Records = Box<dyn Iterator<Item = Result<Record, DataError>> + Send>;

/// A part of an input whose header has been read.
struct Opened {
    /// The names of the columns in the header; `None` for JSONL, which has no header.
    columns: Option<Vec<String>>,
    records: Records,
}

/// Reads the rows of an input, in order and in bounded memory.
///
/// A bad row is a [`DataError::Row`], and the next call continues with the row after it. Any other error
/// is about the file, and the iterator ends after it.
pub struct RowReader {
    options: ReadOptions,
    input: Input,
    row_file: RowFile,
    columns: Option<Vec<String>>,
    records: Records,
    failed: bool,
}

/// The file that rows are read from. It makes the errors of its rows.
#[derive(Debug, Clone)]
pub(crate) struct RowFile {
    path: PathBuf,
    format: Format,
}

impl RowFile {
    pub(crate) fn error(&self, row: u64, column: Option<&str>, problem: RowProblem) -> DataError {
        Box::new(self.row_error(row, column, problem)).into()
    }

    fn row_error(&self, row: u64, column: Option<&str>, problem: RowProblem) -> RowError {
        let unit = self.format.row_unit();
        let column = column.map(str::to_owned);
        RowError { path: self.path.clone(), unit, row, column, problem }
    }
}

impl RowReader {
    /// Opens the input that `path` stands for (see [`Input`]), and reads its header if it has one.
    ///
    /// # Errors
    /// The file cannot be opened, its format is not known, or (CSV, TSV, Parquet) it lacks a column that
    /// is needed.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        Self::over(Input::open(path, options)?, options)
    }

    /// Reads the rows of an input that is already open.
    ///
    /// # Errors
    /// The errors of [`RowReader::open`].
    pub fn over(mut input: Input, options: &ReadOptions) -> Result<Self, DataError> {
        let first = input
            .next()
            .ok_or_else(|| DataError::unusable(input.path(), "there are no data files in it"))?;
        let (row_file, Opened { columns, records }) = records(first?, input.format(), options)?;
        Ok(Self { options: options.clone(), input, row_file, columns, records, failed: false })
    }

    /// The file of the row that was read last; before the first row is read, the file of the first part.
    pub fn path(&self) -> &Path {
        &self.row_file.path
    }

    /// Whether [`Row::line`] counts lines of text or rows of a table.
    pub fn unit(&self) -> RowUnit {
        self.row_file.format.row_unit()
    }

    /// The names of the columns in the header; `None` for JSONL, where any line may have a new key.
    pub fn columns(&self) -> Option<&[String]> {
        self.columns.as_deref()
    }

    /// An error about a row of the part that is being read.
    pub(crate) fn error(&self, row: u64, column: Option<&str>, problem: RowProblem) -> DataError {
        self.row_file.error(row, column, problem)
    }

    /// Opens the next part. False if there is none.
    fn next_part(&mut self) -> Result<bool, DataError> {
        let Some(part) = self.input.next() else { return Ok(false) };
        let (row_file, Opened { columns, records }) =
            records(part?, self.input.format(), &self.options)?;
        if let (Some(first), Some(these)) = (&self.columns, &columns) {
            check_same_columns(&row_file.path, first, these)?;
        }
        (self.row_file, self.records) = (row_file, records);
        Ok(true)
    }
}

impl Iterator for RowReader {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.next_record()?;
        Some(record.and_then(|record| parse::row(record, &self.row_file, &self.options)))
    }
}

impl RowReader {
    /// The next record, of this part or of a later one.
    fn next_record(&mut self) -> Option<Result<Record, DataError>> {
        while !self.failed {
            let record = match self.records.next() {
                Some(record) => record,
                None => match self.next_part() {
                    Ok(true) => continue,
                    Ok(false) => return None,
                    Err(error) => Err(error),
                },
            };
            self.failed = matches!(&record, Err(error) if !matches!(error, DataError::Row(_)));
            return Some(record);
        }
        None
    }
}

/// Opens one part: the file for its errors, its columns and its records.
fn records(
    part: Part,
    format: Format,
    options: &ReadOptions,
) -> Result<(RowFile, Opened), DataError> {
    let row_file = RowFile { path: part.path, format };
    let opened = match part.content {
        Content::Table(file) => {
            let (columns, records) = parquet::records(file, &row_file, options)?;
            Opened { columns: Some(columns), records }
        }
        Content::Text(text) if format == Format::Jsonl => {
            jsonl::records(text, &row_file, options.max_row_bytes)
        }
        Content::Text(text) => {
            let separator = if format == Format::Tsv { b'\t' } else { b',' };
            delimited::records(text, &row_file, separator, options)?
        }
    };
    Ok((row_file, opened))
}

/// Checks that a part has the same columns as the first part, in any order.
fn check_same_columns(path: &Path, first: &[String], these: &[String]) -> Result<(), DataError> {
    let lacks = |columns: &[String], other: &[String]| {
        columns.iter().find(|name| !other.contains(name)).cloned()
    };
    let problem = match (lacks(first, these), lacks(these, first)) {
        (None, None) => return Ok(()),
        (Some(name), _) => format!("no column `{name}`, which the first part has"),
        (None, Some(name)) => format!("a column `{name}`, which the first part lacks"),
    };
    Err(DataError::unusable(path, format!("{problem}; the parts of one input need the same ones")))
}

impl std::fmt::Debug for RowReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowReader").field("row_file", &self.row_file).finish_non_exhaustive()
    }
}

/// Checks that no column is missing that is needed. `hint` is a guess, for the error, at why one is missing.
fn check_columns(
    path: &Path,
    columns: &[String],
    options: &ReadOptions,
    hint: Option<String>,
) -> Result<(), DataError> {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let needed = [
        ("task", options.default_task.is_none()),
        ("left", true),
        ("right", true),
        ("grade", options.labels == Labels::Required),
    ];
    let lacks = |&(name, needed): &(&str, bool)| needed && !options.any_columns && !has(name);
    let Some((name, _)) = needed.into_iter().find(lacks) else {
        return Ok(());
    };
    let found = columns.to_vec();
    let same = |other: &String| other.trim().eq_ignore_ascii_case(name);
    let hint = hint.unwrap_or_else(|| {
        let near = found.iter().any(same);
        if near { "; column names are lower case without spaces".to_owned() } else { String::new() }
    });
    let (path, column) = (path.to_owned(), name.to_owned());
    Err(DataError::MissingColumn { path, column, found, hint })
}
