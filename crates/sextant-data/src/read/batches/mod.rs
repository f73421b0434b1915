//! Rows as record batches, for programs that interpret few columns and pass the others on.
//!
//! Parquet files give their own columns, of any Arrow type. CSV and TSV give columns of text, with the cells
//! unchanged. JSONL gives columns of raw JSON ([`json_text`](crate::json_text)), and the columns may differ
//! from batch to batch. So when a batch is written in the format that it was read from, no value is lost or
//! changed.

mod builder;
mod dates;
mod jsonl;
mod kinds;
mod pages;
pub(super) mod parquet;
mod parts;
mod projection;
mod separated;

use super::RowFile;
use crate::layout::Layout;
use crate::read_options::ReadOptions;
use crate::{Content, DataError, Format, Part, RowError, RowProblem, RowUnit, json_text};
use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use kinds::Seen;
use parts::Parts;
use projection::Projection;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The most rows of a batch.
const BATCH_ROWS: usize = 4096;
/// A batch ends when it has about this many bytes.
const BATCH_BYTES: usize = 64 << 20;

/// The most bytes of a row, whatever the options state: the offsets in an Arrow column of text have 31 bits.
const ROW_BYTES: usize = 1 << 30;

/// Some rows of one file.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The rows that could be read.
    pub columns: RecordBatch,
    /// The position of each of these rows in the file, from 1.
    pub lines: Vec<u64>,
    /// The errors of the rows that could not be read.
    pub bad: Vec<RowError>,
    row_file: Arc<RowFile>,
}

impl Batch {
    /// The file that the rows are from.
    pub fn path(&self) -> &Path {
        &self.row_file.path
    }

    /// Whether [`Batch::lines`] counts lines of text or rows of a table.
    pub fn unit(&self) -> RowUnit {
        self.row_file.format.row_unit()
    }

    /// The error of a row of the batch, with its position in the file.
    pub fn error(&self, row: usize, column: Option<&str>, problem: RowProblem) -> RowError {
        RowError {
            path: self.row_file.path.clone(),
            unit: self.unit(),
            row: self.lines[row],
            column: column.map(str::to_owned),
            problem,
        }
    }
}

/// The batches of one file.
pub(super) trait BatchSource: Send {
    /// The next batch, of at most `rows` rows; `None` at the end of the file.
    fn next(&mut self, rows: usize) -> Option<Result<Batch, DataError>>;
}

/// Reads an input batch by batch, in bounded memory.
pub struct BatchReader {
    parts: Parts,
    options: ReadOptions,
    projection: Projection,
    layout: Option<Layout>,
    source: Box<dyn BatchSource>,
    failed: bool,
}

impl BatchReader {
    /// Opens the input that `path` stands for (see [`Input`](crate::Input)). Columns named in `without` are
    /// left out.
    ///
    /// The headers of all parts are compared here: Parquet parts must have the same columns of the same
    /// types, and CSV parts the same columns.
    ///
    /// # Errors
    /// The input cannot be read, lacks a column that is needed, or has parts with different columns.
    pub fn open(
        path: impl AsRef<Path>,
        options: &ReadOptions,
        without: &'static [&'static str],
    ) -> Result<Self, DataError> {
        Self::over(Parts::open(path.as_ref(), options)?, options, Projection::Without(without))
    }

    /// Opens an input like [`BatchReader::open`], and reads only the columns of the given names. One that the
    /// input lacks is no error; [`BatchReader::layout`] says which there are.
    ///
    /// # Errors
    /// The errors of [`BatchReader::open`].
    pub fn open_columns(
        path: impl AsRef<Path>,
        options: &ReadOptions,
        columns: &[String],
    ) -> Result<Self, DataError> {
        let projection = Projection::Only(columns.into());
        Self::over(Parts::open(path.as_ref(), options)?, options, projection)
    }

    /// Opens an input like [`BatchReader::open`], and finds the columns of all rows in advance, as writers of
    /// CSV and Parquet need them.
    ///
    /// JSONL has no header, so it is read once in full: this gives the column names in order of appearance,
    /// and for each column the type that holds all its values exactly. `look` is called with every batch of
    /// this first reading. Then ordinary files are read again; a pipe is copied to a temporary file first.
    ///
    /// # Errors
    /// The errors of [`BatchReader::open`], a failure of reading or copying, and an error of `look`.
    pub fn surveyed(
        path: impl AsRef<Path>,
        options: &ReadOptions,
        without: &'static [&'static str],
        mut look: impl FnMut(&Batch) -> Result<(), DataError>,
    ) -> Result<Self, DataError> {
        let parts = Parts::open(path.as_ref(), options)?;
        let projection = Projection::Without(without);
        if parts.format() != Format::Jsonl {
            return Self::over(parts, options, projection);
        }
        let parts = parts.kept()?;
        let mut columns: Vec<(String, Seen)> = Vec::new();
        let mut places = HashMap::new();
        let mut reader = Self::over(parts.again(options)?, options, projection.clone())?;
        while let Some(batch) = reader.next_batch(BATCH_ROWS).transpose()? {
            look(&batch)?;
            let arrays = batch.columns.schema_ref().fields().iter().zip(batch.columns.columns());
            for (field, array) in arrays {
                let Some(raw) = json_text::texts(field, array) else { continue };
                let place = *places.entry(field.name().clone()).or_insert_with(|| {
                    columns.push((field.name().clone(), Seen::default()));
                    columns.len() - 1
                });
                raw.iter().flatten().for_each(|raw| columns[place].1.add(raw));
            }
        }
        let fields = columns.iter().map(|(name, seen)| Field::new(name, seen.data_type(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let reader = Self::over(parts.again(options)?, options, projection)?;
        Ok(Self { layout: Some(Layout::from(schema)), ..reader })
    }

    fn over(
        mut parts: Parts,
        options: &ReadOptions,
        projection: Projection,
    ) -> Result<Self, DataError> {
        let max_row_bytes = options.max_row_bytes.min(ROW_BYTES);
        let options = &ReadOptions { max_row_bytes, ..options.clone() };
        let first = parts.next().ok_or_else(|| parts.is_empty())??;
        let (layout, source) = open_part(first, parts.format(), options, &projection)?;
        if let Some(layout) = &layout
            && parts.number() > 1
            && parts.is_reopenable()
        {
            for part in parts.again(options)?.skip(1) {
                let part = part?;
                let path = part.path.clone();
                let (other, _) = open_part(part, parts.format(), options, &projection)?;
                check_same(&path, layout, other.as_ref())?;
            }
        }
        Ok(Self { parts, options: options.clone(), projection, layout, source, failed: false })
    }

    /// The format of every part.
    pub fn format(&self) -> Format {
        self.parts.format()
    }

    /// The columns, if they are known before the rows are read. For JSONL they are known only if the reader
    /// was opened by [`BatchReader::surveyed`].
    pub fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// The next batch, of at most `rows` rows, all from one file. `None` at the end, and after an error.
    pub fn next_batch(&mut self, rows: usize) -> Option<Result<Batch, DataError>> {
        while !self.failed {
            if let Some(batch) = self.source.next(rows.max(1)) {
                self.failed = batch.is_err();
                return Some(batch);
            }
            // The part has no more rows. The next part may be empty, so this is a loop.
            match self.parts.next()?.and_then(|part| self.open_next(part)) {
                Ok(source) => self.source = source,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// Opens a part after the first one.
    fn open_next(&self, part: Part) -> Result<Box<dyn BatchSource>, DataError> {
        let path = part.path.clone();
        let (layout, source) =
            open_part(part, self.parts.format(), &self.options, &self.projection)?;
        if let (Some(first), Some(these)) = (&self.layout, &layout) {
            check_same(&path, first, Some(these))?;
        }
        Ok(source)
    }
}

impl std::fmt::Debug for BatchReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchReader").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// Opens a part: its columns, if the format states them before the rows, and its batches.
fn open_part(
    part: Part,
    format: Format,
    options: &ReadOptions,
    projection: &Projection,
) -> Result<(Option<Layout>, Box<dyn BatchSource>), DataError> {
    let row_file = Arc::new(RowFile { path: part.path, format });
    Ok(match part.content {
        Content::Table(file) => {
            let keeps = |name: &str| projection.keeps(name);
            let (layout, source) = parquet::open(file, &row_file, options, keeps)?;
            (Some(layout), Box::new(source))
        }
        Content::Text(text) if format == Format::Jsonl => (
            None,
            Box::new(jsonl::JsonlSource::new(
                text,
                row_file,
                projection.clone(),
                options.max_row_bytes,
            )),
        ),
        Content::Text(text) => {
            let (layout, source) = separated::open(text, &row_file, options, projection.clone())?;
            (Some(layout), Box::new(source))
        }
    })
}

/// Checks that a part has the same columns as the first part, of the same types, in any order.
fn check_same(path: &Path, first: &Layout, these: Option<&Layout>) -> Result<(), DataError> {
    let (first, these) = (&first.schema, these.map_or(&first.schema, |these| &these.schema));
    let problem = |problem: String| {
        let all = "the parts of one input must have the same columns";
        Err(DataError::unusable(path, format!("{problem}; {all}")))
    };
    for field in first.fields() {
        match these.field_with_name(field.name()) {
            Err(_) => {
                return problem(format!("no column `{}`, which the first part has", field.name()));
            }
            Ok(other) if other.data_type() != field.data_type() => {
                return problem(format!(
                    "column `{}` is {}, and {} in the first part",
                    field.name(),
                    other.data_type(),
                    field.data_type()
                ));
            }
            Ok(_) => {}
        }
    }
    match these.fields().iter().find(|field| first.column_with_name(field.name()).is_none()) {
        Some(field) => problem(format!("column `{}`, which the first part lacks", field.name())),
        None => Ok(()),
    }
}
