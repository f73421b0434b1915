//! Writes record batches to files. The whole file appears at the end, or no file does.
//!
//! One writer serves all formats. [`fit`] converts the columns of a batch to those of the output format
//! ([`render`] has the rules for types that JSON and text lack). A [`Sink`] for each format turns batches
//! into bytes, and writes them to an [`Output`].

mod examples;
mod fit;
mod jsonl;
mod output;
mod parquet;
mod render;
mod rows;
mod separated;

pub(crate) use examples::write_to;
pub use examples::{used_by, write_examples};
pub use output::Output;
pub use rows::{RowView, RowsWriter};

use self::fit::FitError;
use crate::layout::Layout;
use crate::{DataError, Format, RowProblem, entity, json_text};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use sextant_core::{Entity, Pair};
use std::path::PathBuf;

type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Writes batches as the bytes of one format.
trait Sink: Send {
    /// Writes a batch, which has the columns that the sink was made for.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError>;

    /// Writes the rows that are still in memory, and gives the output back.
    fn finish(self: Box<Self>) -> Result<Output, SinkError>;
}

/// Writes record batches to JSONL, CSV, TSV or Parquet in bounded memory.
///
/// The rows are written to a temporary file in the same folder, which [`BatchWriter::finish`] renames. If
/// the writer is dropped before, or a write fails, no file is left.
pub struct BatchWriter {
    path: PathBuf,
    format: Format,
    /// The columns that are written; `None` for JSONL whose columns differ from batch to batch.
    schema: Option<SchemaRef>,
    sink: Box<dyn Sink>,
    rows: u64,
}

impl BatchWriter {
    /// Makes a writer for batches of the given columns, which are written in this order. An absent value is
    /// left out in JSONL, an empty cell in CSV, and a null in Parquet. `layout` may be `None` only for JSONL.
    ///
    /// # Errors
    /// Two columns have the same name, a column has a type that the format cannot hold, or the output cannot
    /// be written to.
    pub fn create(
        output: Output,
        format: Format,
        layout: Option<&Layout>,
    ) -> Result<Self, DataError> {
        let path = output.path().to_owned();
        let fail = |error: SinkError| DataError::write(&path, error);
        let schema = layout
            .map(|layout| {
                check_names(&layout.schema, &path)?;
                fit::schema_for(format, &layout.schema, &path)
            })
            .transpose()?;
        let declared = || {
            let problem = format!("the columns of a {format:?} file must be known ahead");
            schema.as_ref().ok_or_else(|| DataError::write(&path, problem))
        };
        let sink: Box<dyn Sink> = match format {
            Format::Jsonl => Box::new(jsonl::JsonlSink::new(output)),
            Format::Csv | Format::Tsv => {
                let separator = if format == Format::Csv { b',' } else { b'\t' };
                let sink = separated::SeparatedSink::new(output, separator, declared()?);
                Box::new(sink.map_err(fail)?)
            }
            Format::Parquet => {
                let source = layout.and_then(|layout| layout.parquet.as_deref());
                let sink = parquet::ParquetSink::new(output, declared()?, source);
                Box::new(sink.map_err(|error| fail(error.into()))?)
            }
        };
        Ok(Self { path, format, schema, sink, rows: 0 })
    }

    /// Writes a batch. A declared column that the batch lacks is written as nulls.
    ///
    /// # Errors
    /// The output cannot be written to, a column is not declared, or a value does not fit its column. After
    /// an error the output is lost, and the writer should be dropped.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        let schema = match &self.schema {
            Some(schema) => schema.clone(),
            None => fit::schema_for(self.format, batch.schema_ref(), &self.path)?,
        };
        let given = batch.schema_ref().fields().iter().zip(batch.columns());
        for (field, _) in given.clone() {
            if schema.column_with_name(field.name()).is_none() {
                return Err(DataError::UndeclaredColumn {
                    path: self.path.clone(),
                    row: self.rows + 1,
                    column: field.name().clone(),
                });
            }
        }
        let columns = schema.fields().iter().enumerate().map(|(i, to)| {
            // The columns of a batch nearly always have the declared order.
            let same_place = given.clone().nth(i).filter(|(field, _)| field.name() == to.name());
            let from =
                same_place.or_else(|| given.clone().find(|(field, _)| field.name() == to.name()));
            fit::fit(from, to, batch.num_rows()).map_err(|error| match error {
                FitError::Value { row, found } => DataError::Unstorable {
                    path: self.path.clone(),
                    row: self.rows + row as u64 + 1,
                    column: to.name().clone(),
                    found,
                    kind: to.data_type().to_string(),
                },
                FitError::Array(error) => DataError::write(&self.path, error),
            })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let fitted = RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|error| DataError::write(&self.path, error))?;
        self.rows += batch.num_rows() as u64;
        self.sink.write(&fitted).map_err(|error| DataError::write(&self.path, error))
    }

    /// Writes the rows that are still in memory, and renames the temporary file to its path.
    ///
    /// # Errors
    /// The output cannot be written to; then no file is left.
    pub fn finish(self) -> Result<(), DataError> {
        let output = self.sink.finish().map_err(|error| DataError::write(&self.path, error))?;
        output.commit()
    }
}

impl std::fmt::Debug for BatchWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

fn check_names(schema: &SchemaRef, path: &std::path::Path) -> Result<(), DataError> {
    let mut names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            Err(DataError::DuplicateColumn { path: path.to_owned(), column: pair[0].clone() })
        }
    }
}

/// Why a pair cannot be written in `format`, if it cannot: a plain text would be read back as a product.
/// Gives the column at fault and the problem.
pub fn unwritable(pair: &Pair, format: Format) -> Option<(&'static str, RowProblem)> {
    if format == Format::Jsonl {
        return None;
    }
    [("left", &pair.left), ("right", &pair.right)].into_iter().find_map(|(column, side)| {
        let Entity::Text(text) = side else { return None };
        entity::looks_like_object(text).then(|| {
            let found = entity::shorten_text(text.as_str().into());
            (column, RowProblem::LooksLikeProduct { found })
        })
    })
}

/// The first row of a batch of raw JSON that cannot be written in `format`, with the column at fault and the
/// problem; see [`unwritable`]. Only values that are strings are decoded.
pub fn unwritable_row(
    batch: &RecordBatch,
    format: Format,
) -> Option<(usize, &'static str, RowProblem)> {
    let sides = ["left", "right"].into_iter().filter(|_| format != Format::Jsonl);
    let found = sides.filter_map(|column| {
        let (index, field) = batch.schema_ref().column_with_name(column)?;
        let raw = json_text::texts(field, batch.column(index))?;
        raw.iter().enumerate().find_map(|(row, raw)| {
            let text = raw.filter(|raw| raw.starts_with('"')).and_then(json_text::cell)?;
            let problem =
                || RowProblem::LooksLikeProduct { found: entity::shorten_text(text.clone()) };
            entity::looks_like_object(&text).then(|| (row, column, problem()))
        })
    });
    found.min_by_key(|(row, ..)| *row)
}
