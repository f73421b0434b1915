//! Errors of data files. Each says where the fault is and how to mend it.

mod quote;

pub use quote::QuoteError;
pub(crate) use quote::{Advice, FaultKind};

use sextant_core::{BehaviourProblem, EntityKind, Split, Task, UnknownName};
use std::path::{Path, PathBuf};

/// Why reading, checking or writing data failed.
///
/// [`DataError::Row`] concerns one row: a [`RowReader`](crate::RowReader) can continue after it. Every
/// other variant concerns the file as a whole and ends the reading.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// One row cannot be used.
    #[error(transparent)]
    Row(#[from] Box<RowError>),
    /// A file or folder cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file cannot be written; nothing was left at its path.
    #[error("cannot write {}: {source}; no output was kept", path.display())]
    Write {
        /// The file that was to appear.
        path: PathBuf,
        /// The error of the operating system or of the encoder.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An error of `sextant-files`, for example a file that must not be replaced.
    #[error(transparent)]
    Files(#[from] sextant_files::FileError),
    /// The extension names no format that can be read or written.
    #[error("{}: unknown format; name the file .jsonl, .csv, .tsv or .parquet", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file lacks a column that is needed.
    #[error("{}: no column `{column}`{}; it has {}{hint}", path.display(), missing_fix(column), list(found))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column that is needed.
        column: String,
        /// The columns that the file has.
        found: Vec<String>,
        /// A guess at what went wrong, starting with `; `, or empty.
        hint: String,
    },
    /// Two columns have the same name.
    #[error("{}: two columns are named `{column}`; rename one of them", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A CSV or TSV file is empty, so that it has no header line.
    #[error("{}: the file is empty; its first line must name the columns", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// The header line of a CSV or TSV file is not UTF-8.
    #[error("{} line {line}: the column names are not UTF-8; save the file as UTF-8 or read it with encoding latin-1", path.display())]
    HeaderEncoding {
        /// The file.
        path: PathBuf,
        /// The line of the header.
        line: u64,
    },
    /// The quotes of a CSV or TSV file are such that it is uncertain where its further rows start.
    #[error(transparent)]
    Quote(#[from] Box<QuoteError>),
    /// A row of a CSV or TSV file is longer than a row may be.
    #[error(
        "{} line {line}: the row is longer than {}; if rows really are so long, raise --max-row-bytes (`data.max_row_bytes` in a recipe)",
        path.display(),
        bytes(*limit)
    )]
    RowTooLong {
        /// The file.
        path: PathBuf,
        /// The line on which the row starts.
        line: u64,
        /// The most bytes that a row may have.
        limit: usize,
    },
    /// The file is not a readable Parquet file.
    #[error("{}: not a readable Parquet file: {source}; write it again, or give it the extension of its real format", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The error of the decoder.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row to be written has a value for a column that was not declared when the writer was made.
    #[error("{} row {row}: no output column `{column}`; declare it when the writer is made", path.display())]
    UndeclaredColumn {
        /// The file being written.
        path: PathBuf,
        /// The row being written, from 1.
        row: u64,
        /// The column.
        column: String,
    },
    /// A column has a type that cannot be written in the output format.
    #[error("{}, column `{column}`: no rule to write {data_type} ({problem}); write .parquet, or leave the column out", path.display())]
    ColumnType {
        /// The file being written.
        path: PathBuf,
        /// The column.
        column: String,
        /// The column's Arrow type.
        data_type: String,
        /// The message of the encoder.
        problem: String,
    },
    /// A value to be written does not fit the declared type of its column.
    #[error("{} row {row}, column `{column}`: cannot store {found} as {kind}; write .jsonl, which holds every value", path.display())]
    Unstorable {
        /// The file being written.
        path: PathBuf,
        /// The row being written, from 1.
        row: u64,
        /// The column.
        column: String,
        /// The value, as JSON.
        found: String,
        /// The type of the column.
        kind: String,
    },
    /// A file, or a folder or pattern that stands for several files, cannot be used.
    #[error("{}: {problem}", path.display())]
    Unusable {
        /// The file, folder or pattern.
        path: PathBuf,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// A dataset has no rows of a split that is needed.
    #[error("the dataset has no {split} rows; add a {split} file or rows whose split is `{split}`")]
    EmptySplit {
        /// The split.
        split: Split,
    },
}

impl DataError {
    /// The error of a failure to read `path`.
    pub fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// The error of a `path` that cannot be used; `problem` says what is wrong and how to mend it.
    pub fn unusable(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), problem: problem.into() }
    }

    /// The error of a failure to write `path`.
    pub fn write(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Write { path: path.to_owned(), source: source.into() }
    }
}

/// A size in the largest unit of which it is a whole multiple.
pub(crate) fn bytes(count: usize) -> String {
    match count {
        0 => "0 bytes".to_owned(),
        _ if count.is_multiple_of(1 << 20) => format!("{} MiB", count >> 20),
        _ if count.is_multiple_of(1 << 10) => format!("{} KiB", count >> 10),
        _ => format!("{count} bytes"),
    }
}

fn missing_fix(column: &str) -> &'static str {
    if column == "task" { " and no default task was given" } else { "" }
}

pub(crate) fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "no columns".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A row that cannot be used: where it is, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{} {unit} {row}{}: {problem}", path.display(), column_suffix(column.as_deref()))]
pub struct RowError {
    /// The file.
    pub path: PathBuf,
    /// Whether `row` counts lines of text or rows of a table.
    pub unit: RowUnit,
    /// The position of the row in the file, from 1; the first line of a CSV row that has several.
    pub row: u64,
    /// The column with the fault, if it is in one column.
    pub column: Option<String>,
    /// What is wrong, and how to mend it.
    pub problem: RowProblem,
}

fn column_suffix(column: Option<&str>) -> String {
    column.map(|name| format!(", column `{name}`")).unwrap_or_default()
}

/// The unit in which the positions of rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowUnit {
    /// Lines of a text file, the header included.
    Line,
    /// Rows of a Parquet file.
    Row,
}

impl std::fmt::Display for RowUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Line => "line",
            Self::Row => "row",
        })
    }
}

/// What can be wrong with one row.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RowProblem {
    /// The row has bytes that are not UTF-8.
    #[error("byte {byte} is not UTF-8; save the file as UTF-8 or read it with encoding latin-1")]
    BrokenUtf8 {
        /// The first bad byte of the cell (or of the line, for JSONL), from 1.
        byte: usize,
    },
    /// A line of JSONL cannot be parsed.
    #[error("bad JSON: {0}; each line must be one whole JSON object")]
    BadJson(String),
    /// A JSON object has a key twice; programs differ in which of the two values they take.
    #[error("the key `{0}` stands in the object twice; remove one")]
    RepeatedKey(String),
    /// A CSV row has more or fewer cells than the header.
    #[error(
        "{found} cells where the header has {expected}; quote cells that contain the separator and double the quotes inside them"
    )]
    Ragged {
        /// The number of cells in this row.
        found: usize,
        /// The number of cells in the header.
        expected: usize,
    },
    /// A line of JSONL is longer than a row may be.
    #[error(
        "the line is longer than {}; if rows really are so long, raise --max-row-bytes (`data.max_row_bytes` in a recipe)",
        bytes(*limit)
    )]
    TooLong {
        /// The most bytes that a row may have.
        limit: usize,
    },
    /// A cell is not empty, but its column has no name.
    #[error(
        "column {position} has no name but holds {found}; name it, or remove it (pandas: `index=False`)"
    )]
    UnnamedColumn {
        /// The column, from 1.
        position: usize,
        /// The text of the cell.
        found: String,
    },
    /// A needed value is absent.
    #[error("no value{}", missing_task_fix(*.task))]
    Missing {
        /// Whether the value is the task, for which an option can give a default.
        task: bool,
    },
    /// A plain text cannot be written to a cell of a table, because it would be read back as a product.
    #[error(
        "the text {found} opens like a product object, and a table's cell with it would be read as one; write .jsonl"
    )]
    LooksLikeProduct {
        /// The text, shortened.
        found: String,
    },
    /// A text has no characters but white space.
    #[error("the text is empty; every pair needs text on both sides")]
    EmptyText,
    /// There is no task, grade, origin or split of this name.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// A weight is not a finite number above 0.
    #[error("weight {found} is not a finite number above 0; correct it, or leave it out for 1")]
    BadWeight {
        /// What was found.
        found: String,
    },
    /// Counts of behaviour, or a propensity, that cannot be.
    #[error(transparent)]
    BadBehaviour(#[from] BehaviourProblem),
    /// A value has the wrong JSON type.
    #[error("found {found}; expected {expected}")]
    WrongType {
        /// What was found, as JSON, shortened.
        found: String,
        /// The values that the column must hold.
        expected: &'static str,
    },
    /// A JSON object is not a product.
    #[error(
        "not a product: {0}; give {{\"title\": …}} with optional brand, description, attributes, type_path"
    )]
    BadProduct(String),
    /// A product object is on a side for which the task has another kind of entity.
    #[error(
        "a product object, but this side of {task} is a {kind}; give plain text, or check that left and right are not swapped"
    )]
    NotAProductSide {
        /// The row's task.
        task: Task,
        /// The kind of entity on this side of the task's pairs.
        kind: EntityKind,
    },
    /// The `split` of a row differs from the split of its file.
    #[error(
        "the row says split `{found}` but the file is the {expected} part; move the row or clear its split"
    )]
    WrongSplit {
        /// The split that the row states.
        found: Split,
        /// The split of the file.
        expected: Split,
    },
}

fn missing_task_fix(task: bool) -> &'static str {
    if task { "; name the task, or give a default task" } else { "; every row needs one" }
}
