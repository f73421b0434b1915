//! Reads a table of any format as texts: the columns that a map names, batch by batch.

use super::ImportError;
use super::advice::for_maps;
use super::map::{TableFormat, TableSpec};
use super::watch::Watch;
use crate::error::list;
use crate::exchange::{self, Judgements};
use crate::read::separator_in;
use crate::{
    Batch, BatchReader, DataError, Encoding, Format, ReadOptions, RowProblem, RowUnit,
    arrow_values, json_text,
};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::DataType;
use serde_json::Value;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The rows of a batch.
const BATCH_ROWS: usize = 4096;

/// Some rows of a table. Their columns are those that were asked for, in that order.
pub(super) struct TextBatch {
    columns: Vec<Option<StringArray>>,
    lines: Vec<u64>,
    path: PathBuf,
    unit: RowUnit,
}

impl TextBatch {
    pub(super) fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The text of a cell without white space around it; `None` if the cell is empty.
    pub(super) fn get(&self, column: usize, row: usize) -> Option<&str> {
        let array = self.columns[column].as_ref().filter(|array| array.is_valid(row))?;
        Some(array.value(row).trim()).filter(|text| !text.is_empty())
    }

    /// The error of a row.
    pub(super) fn error(&self, row: usize, column: Option<&str>, problem: String) -> ImportError {
        ImportError::Row {
            path: self.path.clone(),
            unit: self.unit,
            row: self.lines[row],
            column: column.map(str::to_owned),
            problem,
        }
    }
}

/// Calls `each` with every batch of a table, in order.
///
/// # Errors
/// The table cannot be read, a row of it is bad, it lacks one of the columns, or the observer stops.
pub(super) fn read(
    spec: &TableSpec,
    folder: &Path,
    columns: &[String],
    watch: &mut Watch<'_>,
    each: impl FnMut(&TextBatch) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    read_batches(spec, folder, columns, watch, each).map_err(for_maps)
}

fn read_batches(
    spec: &TableSpec,
    folder: &Path,
    columns: &[String],
    watch: &mut Watch<'_>,
    mut each: impl FnMut(&TextBatch) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let path = folder.join(&spec.path);
    let options = ReadOptions {
        format: match spec.format {
            Some(TableFormat::Rows(format)) => Some(format),
            _ => None,
        },
        encoding: spec.encoding,
        quoting: spec.quoting,
        separator: spec.separator,
        any_columns: true,
        ..ReadOptions::default()
    };
    if let Some(TableFormat::Judgements(format)) = spec.format {
        refuse_unread(spec, &path, &format.to_string(), &["encoding", "quoting", "separator"])?;
        let judgements = exchange::read(&path, format)?;
        let batch = of_judgements(&judgements, &path, columns)?;
        watch.rows(batch.rows())?;
        return each(&batch);
    }
    let mut reader = BatchReader::open_columns(&path, &options, columns)?;
    let unread: &[&str] = match reader.format() {
        Format::Csv | Format::Tsv => &[],
        Format::Jsonl => &["quoting", "separator"],
        Format::Parquet => &["encoding", "quoting", "separator"],
    };
    refuse_unread(spec, &path, &reader.format().to_string(), unread)?;
    if let Some(layout) = reader.layout() {
        let names = || layout.schema.fields().iter().map(|field| field.name().clone()).collect();
        if let Some(column) = columns.iter().find(|c| layout.schema.column_with_name(c).is_none()) {
            let found = all_columns(&path, &options).unwrap_or_else(names);
            let hint = match &found[..] {
                [header] => separator_hint(header, reader.format(), &options),
                _ => None,
            };
            return Err(lacks(&path, column, &found, &hint.unwrap_or_default()));
        }
    }
    let mut seen = vec![false; columns.len()];
    while let Some(batch) = reader.next_batch(BATCH_ROWS).transpose()? {
        if let Some(bad) = batch.bad.first() {
            return Err(DataError::from(Box::new(bad.clone())).into());
        }
        let batch = texts(&batch, columns)?;
        for (seen, column) in seen.iter_mut().zip(&batch.columns) {
            *seen |= column.is_some();
        }
        watch.rows(batch.rows())?;
        each(&batch)?;
    }
    match seen.iter().position(|seen| !seen) {
        // A table without rows lacks nothing; in JSONL a key may be absent from every row by mistake only.
        Some(column) if reader.layout().is_none() && seen.iter().any(|&seen| seen) => {
            let problem = format!("no row has the key `{}` that the map names", columns[column]);
            Err(DataError::unusable(&path, problem).into())
        }
        _ => Ok(()),
    }
}

/// Refuses keys that the map states for a table in whose format nothing is read by them.
fn refuse_unread(
    spec: &TableSpec,
    path: &Path,
    format: &str,
    unread: &[&str],
) -> Result<(), ImportError> {
    let stated = [
        ("encoding", spec.encoding != Encoding::default()),
        ("quoting", spec.quoting.is_some()),
        ("separator", spec.separator.is_some()),
    ];
    match stated.into_iter().find(|(key, stated)| *stated && unread.contains(key)) {
        None => Ok(()),
        Some((key, _)) => {
            let problem = format!(
                "the map states `{key}`, which {format} does not have; take it out, or state another `format`"
            );
            Err(DataError::unusable(path, problem).into())
        }
    }
}

/// The names of all columns of a table, for a message.
fn all_columns(path: &Path, options: &ReadOptions) -> Option<Vec<String>> {
    let reader = BatchReader::open(path, options, &[]).ok()?;
    Some(reader.layout()?.schema.fields().iter().map(|field| field.name().clone()).collect())
}

/// The error of a table without a column that the map names.
fn lacks(path: &Path, column: &str, found: &[String], hint: &str) -> ImportError {
    let problem = format!("no column `{column}`; it has {}{hint}", list(found));
    DataError::unusable(path, problem).into()
}

/// A hint on a header that is read as one cell, probably because the table has another separator.
fn separator_hint(header: &str, format: Format, options: &ReadOptions) -> Option<String> {
    let separator = likely_separator(header, format, options)?;
    let seen = if separator == "tab" { "tabs".to_owned() } else { format!("`{separator}`") };
    Some(format!(
        "; its cells are separated by {seen}: say `separator = \"{separator}\"` for this table in the map"
    ))
}

/// The separator that a header which was read as one cell most likely has, as maps and options name it. `None` for
/// formats without separators.
pub(super) fn likely_separator(
    header: &str,
    format: Format,
    options: &ReadOptions,
) -> Option<String> {
    let usual = match format {
        Format::Csv => b',',
        Format::Tsv => b'\t',
        Format::Jsonl | Format::Parquet => return None,
    };
    let separator = separator_in(header, options.separator.map_or(usual, u8::from))?;
    Some(if separator == '\t' { "tab".to_owned() } else { separator.to_string() })
}

/// The columns of a batch as texts.
pub(super) fn texts(batch: &Batch, columns: &[String]) -> Result<TextBatch, ImportError> {
    let schema = batch.columns.schema_ref();
    let column = |name: &String| -> Result<Option<StringArray>, ImportError> {
        let Some((index, field)) = schema.column_with_name(name) else { return Ok(None) };
        let array = batch.columns.column(index);
        if let Some(raw) = json_text::texts(field, array) {
            let cells = raw.iter().map(|raw| raw.and_then(json_text::cell));
            return Ok(Some(cells.collect::<Vec<Option<Cow<'_, str>>>>().into_iter().collect()));
        }
        as_texts(array).map(Some).map_err(|problem| {
            let problem = RowProblem::BadJson(problem.to_string());
            DataError::from(Box::new(batch.error(0, Some(name), problem))).into()
        })
    };
    Ok(TextBatch {
        columns: columns.iter().map(column).collect::<Result<_, _>>()?,
        lines: batch.lines.clone(),
        path: batch.path().to_owned(),
        unit: batch.unit(),
    })
}

fn as_texts(array: &ArrayRef) -> Result<StringArray, arrow_schema::ArrowError> {
    if array.data_type() == &DataType::Utf8 {
        return Ok(array.as_string::<i32>().clone());
    }
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    Ok(arrow_values::values(array)?.into_iter().map(text).collect())
}

/// Judgements as a table, whose columns have fixed names.
fn of_judgements(
    judgements: &Judgements,
    path: &Path,
    columns: &[String],
) -> Result<TextBatch, ImportError> {
    let place = |name: &String| judgements.columns.iter().position(|column| column == name);
    let column = |name: &String| -> Result<Option<StringArray>, ImportError> {
        let at = place(name).ok_or_else(|| lacks(path, name, &judgements.columns, ""))?;
        Ok(Some(judgements.rows.iter().map(|row| row.cells[at].as_deref()).collect()))
    };
    Ok(TextBatch {
        columns: columns.iter().map(column).collect::<Result<_, _>>()?,
        lines: judgements.rows.iter().map(|row| row.line).collect(),
        path: path.to_owned(),
        unit: judgements.unit,
    })
}
