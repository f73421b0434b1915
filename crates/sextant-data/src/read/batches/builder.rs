//! Builds columns of text row by row. A row may add new columns.

use crate::{DataError, json_text};
use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Gathers rows of texts into a record batch.
pub(super) struct TextColumns {
    /// Whether the texts are raw JSON.
    json: bool,
    names: Vec<String>,
    places: HashMap<String, usize>,
    builders: Vec<StringBuilder>,
    /// For each column, the byte range of its value in the text of the row that is being read.
    row: Vec<Option<Range<usize>>>,
    rows: usize,
    bytes: usize,
}

impl TextColumns {
    /// Starts without any column.
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            names: Vec::new(),
            places: HashMap::new(),
            builders: Vec::new(),
            row: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn names(&self) -> usize {
        self.names.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The index of the column with this name, which is added if it is new. `hint` is the index where it
    /// probably is.
    pub(super) fn column(&mut self, name: &str, hint: usize) -> usize {
        if self.names.get(hint).is_some_and(|found| found == name) {
            return hint;
        }
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        let mut builder = StringBuilder::new();
        builder.append_nulls(self.rows);
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), self.builders.len());
        self.builders.push(builder);
        self.row.push(None);
        self.builders.len() - 1
    }

    /// Sets the byte range of a column's value in the text of the row; a later value replaces an earlier one.
    /// False if the row already has a value in this column.
    pub(super) fn set(&mut self, column: usize, place: Range<usize>) -> bool {
        self.row[column].replace(place).is_none()
    }

    /// Discards the values of a row that cannot be used.
    pub(super) fn drop_row(&mut self) {
        self.row.fill(None);
    }

    /// Ends a row, and takes its values from `text`.
    pub(super) fn end_row(&mut self, text: &str) {
        for (builder, place) in self.builders.iter_mut().zip(&mut self.row) {
            builder.append_option(place.take().map(|place| &text[place]));
        }
        self.rows += 1;
        self.bytes += text.len();
    }

    /// Adds a row with a value for each column.
    pub(super) fn append<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>) {
        for (builder, value) in self.builders.iter_mut().zip(values) {
            builder.append_option(value);
            self.bytes += value.map_or(0, str::len);
        }
        self.rows += 1;
    }

    /// Takes the rows so far as a batch, and keeps the columns without rows.
    pub(super) fn take(&mut self, path: &std::path::Path) -> Result<RecordBatch, DataError> {
        let field = |name: &String| {
            if self.json { json_text::field(name) } else { Field::new(name, DataType::Utf8, true) }
        };
        let schema = Schema::new(self.names.iter().map(field).collect::<Vec<_>>());
        let arrays = self.builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef);
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(schema), arrays.collect(), &options);
        (self.rows, self.bytes) = (0, 0);
        batch.map_err(|error| DataError::read(path, std::io::Error::other(error)))
    }
}
