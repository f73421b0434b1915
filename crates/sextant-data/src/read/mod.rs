//! Reading rows from files, one at a time.
//!
//! Each format only turns its file into [`Record`]s: named JSON values with a line number. What the
//! values mean is decided in one place for all formats, in `parse`.

mod jsonl;
mod line_counter;
mod parquet;
mod parse;
mod separated;

use crate::write::Column;
use crate::{DataError, Encoding, Format, Row, RowError, RowProblem, RowUnit};
use serde_json::{Map, Value};
use sextant_core::{Example, Task};
use std::fs::File;
use std::path::{Path, PathBuf};

/// How to read a file.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// How text files stand for characters.
    pub encoding: Encoding,
    /// The task of rows that name none.
    pub default_task: Option<Task>,
    /// Whether a row without a grade is an error. Scoring reads unlabelled rows.
    pub require_grade: bool,
}

/// One row before its values mean anything.
struct Record {
    line: u64,
    fields: Map<String, Value>,
}

type Records = Box<dyn Iterator<Item = Result<Record, DataError>> + Send>;

/// The rows of a file, in order, in bounded memory.
///
/// A bad row is [`DataError::Row`] and the next call goes on with the row after it. Any other error
/// is about the file, and the iterator ends after it.
pub struct RowReader {
    place: Place,
    options: ReadOptions,
    columns: Option<Vec<Column>>,
    records: Records,
    failed: bool,
}

/// The file that rows come from, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: PathBuf,
    format: Format,
}

impl Place {
    pub(crate) fn error(&self, row: u64, column: Option<&str>, problem: RowProblem) -> DataError {
        let unit = RowUnit::of(self.format);
        let column = column.map(str::to_owned);
        Box::new(RowError { path: self.path.clone(), unit, row, column, problem }).into()
    }
}

impl RowReader {
    /// Opens a file and reads its header, if it has one.
    ///
    /// # Errors
    /// The file cannot be opened, is of no known format, or (CSV, TSV, Parquet) lacks a column that
    /// is needed.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        let path = path.as_ref();
        // What is not there is said to be so, whatever it is called.
        std::fs::metadata(path).map_err(|source| DataError::read(path, source))?;
        let place = Place { path: path.to_owned(), format: Format::of(path)? };
        let file = File::open(path).map_err(|source| DataError::read(path, source))?;
        let (columns, records) = match place.format {
            Format::Jsonl => (None, jsonl::records(file, place.clone(), options.encoding)),
            Format::Csv => separated::records(file, place.clone(), options.encoding, b',')?,
            Format::Tsv => separated::records(file, place.clone(), options.encoding, b'\t')?,
            Format::Parquet => parquet::records(file, place.clone())?,
        };
        if let Some(columns) = &columns {
            check_columns(path, columns, options)?;
        }
        Ok(Self { place, options: options.clone(), columns, records, failed: false })
    }

    /// The file, for messages about its rows.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The columns that a writer needs to pass every row of the file on, in the file's order.
    ///
    /// CSV, TSV and Parquet files say so at their head. A JSONL file is read through once to collect
    /// the names, because any line may bring a new one; bad lines are passed over.
    ///
    /// # Errors
    /// As [`RowReader::open`], and what reading finds wrong with the whole file.
    pub fn columns_of(
        path: impl AsRef<Path>,
        options: &ReadOptions,
    ) -> Result<Vec<Column>, DataError> {
        let reader = Self::open(path, options)?;
        let mut columns = match reader.columns {
            Some(columns) => columns,
            None => jsonl::columns(reader.records)?,
        };
        for name in ["right", "left", "task"] {
            if !columns.iter().any(|column| column.name == name) {
                columns.insert(0, Column::known(name));
            }
        }
        Ok(columns)
    }
}

impl Iterator for RowReader {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row =
            self.records.next()?.and_then(|record| parse::row(record, &self.place, &self.options));
        self.failed = matches!(&row, Err(error) if !matches!(error, DataError::Row(_)));
        Some(row)
    }
}

impl std::fmt::Debug for RowReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowReader").field("place", &self.place).finish_non_exhaustive()
    }
}

fn check_columns(path: &Path, columns: &[Column], options: &ReadOptions) -> Result<(), DataError> {
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    let needed = [
        ("task", options.default_task.is_none()),
        ("left", true),
        ("right", true),
        ("grade", options.require_grade),
    ];
    for (name, needed) in needed {
        if needed && !has(name) {
            let found: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
            let hint = match &found[..] {
                [one] if one.contains([',', ';', '\t', '|']) => {
                    "; the separator is not the one of this extension: .csv takes commas, .tsv tabs"
                }
                _ if found.iter().any(|other| other.trim().eq_ignore_ascii_case(name)) => {
                    "; column names are lower case without spaces"
                }
                _ => "",
            };
            return Err(DataError::MissingColumn {
                path: path.to_owned(),
                column: name.to_owned(),
                found,
                hint: hint.to_owned(),
            });
        }
    }
    Ok(())
}

/// Reads a file of labelled pairs whole. Every row must be good; the first that is not is the error.
///
/// # Errors
/// See [`DataError`].
pub fn read_examples(
    path: impl AsRef<Path>,
    options: &ReadOptions,
) -> Result<Vec<Example>, DataError> {
    let options = ReadOptions { require_grade: true, ..options.clone() };
    let reader = RowReader::open(path, &options)?;
    let place = reader.place().clone();
    reader
        .map(|row| {
            let row = row?;
            let missing =
                || place.error(row.line, Some("grade"), RowProblem::Missing { task: false });
            let grade = row.grade.ok_or_else(missing)?;
            Ok(row.with_grade(grade))
        })
        .collect()
}
