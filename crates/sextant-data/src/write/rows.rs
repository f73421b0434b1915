//! Writes rows of pairs batch by batch, with further columns beside those that Sextant interprets.

use super::{BatchWriter, Output, unwritable};
use crate::layout::Layout;
use crate::row::json_number;
use crate::{DataError, Format, Row, RowError, RowUnit, entity, json_text};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sextant_core::{Behaviour, Entity, Event, Example, Grade, LabelOrigin, Pair, Split};
use std::path::PathBuf;
use std::sync::Arc;

/// A row to write, labelled or not.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// The grade, if the row has one.
    pub grade: Option<Grade>,
    /// The row's identifier.
    pub id: Option<&'a str>,
    /// The group that the row belongs to.
    pub group: Option<&'a str>,
    /// The weight of the row's loss.
    pub weight: f32,
    /// The data set that the row was taken from.
    pub source: Option<&'a str>,
    /// Who assigned the grade.
    pub origin: Option<LabelOrigin>,
    /// The split that the row belongs to.
    pub split: Option<Split>,
    /// What people did when they were shown the pair.
    pub behaviour: Option<&'a Behaviour>,
}

impl<'a> From<&'a Example> for RowView<'a> {
    fn from(example: &'a Example) -> Self {
        Self {
            pair: &example.pair,
            grade: Some(example.grade),
            id: example.id.as_deref(),
            group: example.group.as_deref(),
            weight: example.weight,
            source: example.source.as_deref(),
            origin: example.origin,
            split: example.split,
            behaviour: example.behaviour.as_deref(),
        }
    }
}

impl<'a> From<&'a Row> for RowView<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            pair: &row.pair,
            grade: row.grade,
            id: row.id.as_deref(),
            group: row.group.as_deref(),
            weight: row.weight,
            source: row.source.as_deref(),
            origin: row.origin,
            split: row.split,
            behaviour: row.behaviour.as_deref(),
        }
    }
}

/// Writes rows in bounded memory. The file appears whole or not at all; see [`BatchWriter`].
#[derive(Debug)]
pub struct RowsWriter {
    writer: BatchWriter,
    format: Format,
    path: PathBuf,
    names: Vec<&'static str>,
    schema: SchemaRef,
    rows: u64,
}

impl RowsWriter {
    /// Makes a writer. `has` says which of [`Row::COLUMNS`] are written, and `further` are columns after them.
    ///
    /// # Errors
    /// The errors of [`BatchWriter::create`].
    pub fn create(
        output: Output,
        format: Format,
        has: impl Fn(&str) -> bool,
        further: impl IntoIterator<Item = Field>,
    ) -> Result<Self, DataError> {
        let names: Vec<_> = Row::COLUMNS.into_iter().filter(|name| has(name)).collect();
        let fields = names.iter().map(|name| field(name, format)).chain(further);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let path = output.path().to_owned();
        let writer = BatchWriter::create(output, format, Some(&Layout::from(schema.clone())))?;
        Ok(Self { writer, format, path, names, schema, rows: 0 })
    }

    /// Writes rows, with the values of the further columns.
    ///
    /// # Errors
    /// The output cannot be written to, or a text would be read back as a product (see [`unwritable`]).
    pub fn write(
        &mut self,
        rows: &[RowView<'_>],
        further: impl IntoIterator<Item = ArrayRef>,
    ) -> Result<(), DataError> {
        for (index, row) in rows.iter().enumerate() {
            if let Some((column, problem)) = unwritable(row.pair, self.format) {
                let (path, column) = (self.path.clone(), Some(column.to_owned()));
                let row = self.rows + index as u64 + 1;
                let error = RowError { path, unit: RowUnit::Row, row, column, problem };
                return Err(Box::new(error).into());
            }
        }
        let columns = self.names.iter().map(|name| column(name, rows, self.format));
        let batch =
            RecordBatch::try_new(self.schema.clone(), columns.chain(further).collect::<Vec<_>>());
        self.rows += rows.len() as u64;
        self.writer.write(&batch.map_err(|error| DataError::write(&self.path, error))?)
    }

    /// Ends the file, which then appears at its path.
    ///
    /// # Errors
    /// The output cannot be written to; then no file is left.
    pub fn finish(self) -> Result<(), DataError> {
        self.writer.finish()
    }
}

fn field(name: &str, format: Format) -> Field {
    match name {
        "grade" => Field::new(name, DataType::Int64, true),
        _ if name == "weight" || Behaviour::COLUMNS.contains(&name) => {
            Field::new(name, DataType::Float64, true)
        }
        "left" | "right" if format == Format::Jsonl => json_text::field(name),
        _ => Field::new(name, DataType::Utf8, true),
    }
}

fn column(name: &str, rows: &[RowView<'_>], format: Format) -> ArrayRef {
    fn texts<'a>(
        rows: &[RowView<'a>],
        value: impl Fn(&RowView<'a>) -> Option<&'a str>,
    ) -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    }
    fn numbers(rows: &[RowView<'_>], value: impl Fn(&Behaviour) -> Option<f64>) -> ArrayRef {
        let cells = rows.iter().map(|row| row.behaviour.and_then(&value));
        Arc::new(cells.collect::<Float64Array>())
    }
    let sides = |side: for<'a> fn(&'a Pair) -> &'a Entity| -> ArrayRef {
        let cells = rows.iter().map(|row| match side(row.pair) {
            // A table holds plain texts as they are. Products are JSON in every format.
            Entity::Text(text) if format != Format::Jsonl => Some(text.clone()),
            entity => Some(entity::to_json(entity).to_string()),
        });
        Arc::new(cells.collect::<StringArray>())
    };
    match name {
        "id" => texts(rows, |row| row.id),
        "task" => texts(rows, |row| Some(row.pair.task.as_str())),
        "left" => sides(|pair| &pair.left),
        "right" => sides(|pair| &pair.right),
        "grade" => {
            let grades = rows.iter().map(|row| row.grade.map(|grade| grade.index() as i64));
            Arc::new(grades.collect::<Int64Array>())
        }
        "weight" => {
            let weights = rows.iter().map(|row| json_number(row.weight).as_f64());
            Arc::new(weights.collect::<Float64Array>())
        }
        "group" => texts(rows, |row| row.group),
        "source" => texts(rows, |row| row.source),
        "origin" => texts(rows, |row| row.origin.map(LabelOrigin::as_str)),
        "split" => texts(rows, |row| row.split.map(Split::as_str)),
        "impressions" => numbers(rows, |behaviour| Some(behaviour.impressions())),
        "propensity" => numbers(rows, Behaviour::propensity),
        "clicks" => numbers(rows, |behaviour| behaviour.count(Event::Clicks)),
        "add_to_carts" => numbers(rows, |behaviour| behaviour.count(Event::AddToCarts)),
        "purchases" => numbers(rows, |behaviour| behaviour.count(Event::Purchases)),
        other => unreachable!("`{other}` is no column of a row"),
    }
}
