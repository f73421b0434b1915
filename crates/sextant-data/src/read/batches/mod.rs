//! Rows as record batches, for those who pass columns on and look at few of them.
//!
//! Parquet files give their own columns, of any Arrow type. CSV and TSV give columns of text, cells as
//! they were. JSONL gives columns of raw JSON ([`json_text`](crate::json_text)), of whatever names the
//! rows of the batch have. So nothing is lost or written otherwise on the way to the same format.

mod builder;
mod jsonl;
mod kinds;
mod pages;
pub(super) mod parquet;
mod parts;
mod separated;

use super::Place;
use crate::layout::Layout;
use crate::read_options::ReadOptions;
use crate::{Content, DataError, Format, Part, RowError, RowProblem, RowUnit, json_text};
use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use kinds::Seen;
use parts::Parts;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A batch holds so many rows at most …
const BATCH_ROWS: usize = 4096;
/// … and ends when it has about so many bytes.
const BATCH_BYTES: usize = 64 << 20;

/// No row has more, whatever was asked for: places in a column of text are numbers of 31 bits.
const ROW_BYTES: usize = 1 << 30;

/// Some rows of one file.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The rows that could be read.
    pub columns: RecordBatch,
    /// Where each of them stands in its file, from 1.
    pub lines: Vec<u64>,
    /// The rows among them that could not be read.
    pub bad: Vec<RowError>,
    place: Arc<Place>,
}

impl Batch {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// What [`Batch::lines`] counts.
    pub fn unit(&self) -> RowUnit {
        self.place.format.row_unit()
    }

    /// What is wrong with a row, said with its place.
    pub fn error(&self, row: usize, column: Option<&str>, problem: RowProblem) -> RowError {
        RowError {
            path: self.place.path.clone(),
            unit: self.unit(),
            row: self.lines[row],
            column: column.map(str::to_owned),
            problem,
        }
    }
}

/// The batches of one file.
pub(super) trait Source: Send {
    /// The next batch, of at most so many rows; none at the end.
    fn next(&mut self, rows: usize) -> Option<Result<Batch, DataError>>;
}

/// Reads an input batch by batch, in bounded memory.
pub struct BatchReader {
    parts: Parts,
    options: ReadOptions,
    without: &'static [&'static str],
    layout: Option<Layout>,
    source: Box<dyn Source>,
    failed: bool,
}

impl BatchReader {
    /// Opens what `path` stands for (see [`Input`](crate::Input)). Columns named in `without` are left
    /// out.
    ///
    /// The headers of all parts are compared here: parts of Parquet must have the same columns of
    /// the same types, parts of CSV the same columns.
    ///
    /// # Errors
    /// The input cannot be read, lacks a column that is needed, or its parts differ.
    pub fn open(
        path: impl AsRef<Path>,
        options: &ReadOptions,
        without: &'static [&'static str],
    ) -> Result<Self, DataError> {
        Self::over(Parts::open(path.as_ref(), options)?, options, without)
    }

    /// The same for who must know the columns of every row ahead, as writers of CSV and Parquet do.
    ///
    /// JSONL says them at no place, so it is read through once: the names in order of appearance,
    /// and for each the type that holds all its values exactly. `look` sees every batch on the way.
    /// Ordinary files are then read again; a pipe is copied to a temporary file first.
    ///
    /// # Errors
    /// As [`BatchReader::open`], reading or copying fails, or `look` does.
    pub fn surveyed(
        path: impl AsRef<Path>,
        options: &ReadOptions,
        without: &'static [&'static str],
        mut look: impl FnMut(&Batch) -> Result<(), DataError>,
    ) -> Result<Self, DataError> {
        let parts = Parts::open(path.as_ref(), options)?;
        if parts.format() != Format::Jsonl {
            return Self::over(parts, options, without);
        }
        let parts = parts.kept()?;
        let mut columns: Vec<(String, Seen)> = Vec::new();
        let mut places = HashMap::new();
        let mut reader = Self::over(parts.again(options)?, options, without)?;
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
        let reader = Self::over(parts.again(options)?, options, without)?;
        Ok(Self { layout: Some(Layout::from(schema)), ..reader })
    }

    fn over(
        mut parts: Parts,
        options: &ReadOptions,
        without: &'static [&'static str],
    ) -> Result<Self, DataError> {
        let max_row_bytes = options.max_row_bytes.min(ROW_BYTES);
        let options = &ReadOptions { max_row_bytes, ..options.clone() };
        let first = parts.next().ok_or_else(|| parts.is_empty())??;
        let (layout, source) = open_part(first, parts.format(), options, without)?;
        if let Some(layout) = &layout
            && parts.number() > 1
            && parts.is_reopenable()
        {
            for part in parts.again(options)?.skip(1) {
                let part = part?;
                let path = part.path.clone();
                let (other, _) = open_part(part, parts.format(), options, without)?;
                check_same(&path, layout, other.as_ref())?;
            }
        }
        Ok(Self { parts, options: options.clone(), without, layout, source, failed: false })
    }

    /// The format of every part.
    pub fn format(&self) -> Format {
        self.parts.format()
    }

    /// The columns, where they are known before the rows are read: not those of JSONL, unless
    /// [surveyed](BatchReader::surveyed).
    pub fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// The next rows, at most so many, all of one file. None at the end, and after an error.
    pub fn next_batch(&mut self, rows: usize) -> Option<Result<Batch, DataError>> {
        while !self.failed {
            if let Some(batch) = self.source.next(rows.max(1)) {
                self.failed = batch.is_err();
                return Some(batch);
            }
            // The part has no more rows; the next one may have none at all.
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

    /// Opens a part that is not the first.
    fn open_next(&self, part: Part) -> Result<Box<dyn Source>, DataError> {
        let path = part.path.clone();
        let (layout, source) = open_part(part, self.parts.format(), &self.options, self.without)?;
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

/// Opens a part: its columns, where it says them at its head, and its rows.
fn open_part(
    part: Part,
    format: Format,
    options: &ReadOptions,
    without: &'static [&'static str],
) -> Result<(Option<Layout>, Box<dyn Source>), DataError> {
    let place = Arc::new(Place { path: part.path, format });
    Ok(match part.content {
        Content::Table(file) => {
            let kept = |name: &str| !without.contains(&name);
            let (layout, source) = parquet::open(file, &place, options, kept)?;
            (Some(layout), Box::new(source))
        }
        Content::Text(text) if format == Format::Jsonl => {
            (None, Box::new(jsonl::JsonlSource::new(text, place, without, options.max_row_bytes)))
        }
        Content::Text(text) => {
            let (layout, source) = separated::open(text, &place, options, without)?;
            (Some(layout), Box::new(source))
        }
    })
}

/// Every part must have the columns of the first, of the same types, in any order.
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
