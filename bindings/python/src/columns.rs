//! A table of pairs, from what Python holds: anything that speaks the Arrow C interface, or lists.

use crate::errors::DataError;
use arrow_array::ffi_stream::ArrowArrayStreamReader;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader, StringArray};
use arrow_pyarrow::FromPyArrow;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyDict;
use std::sync::Arc;

/// The columns and the batches of a table: a record batch, a table, a frame, a reader. The buffers stay Python's.
pub(crate) fn batches(table: &Bound<'_, PyAny>) -> PyResult<(SchemaRef, Vec<RecordBatch>)> {
    if table.hasattr("__arrow_c_stream__")? {
        let reader = ArrowArrayStreamReader::from_pyarrow_bound(table)?;
        let schema = reader.schema();
        // A reader may be a program that runs in Python, and then asks for the interpreter's lock itself.
        let batches = table.py().detach(|| reader.collect::<Result<Vec<_>, _>>());
        return Ok((schema, batches.map_err(|error| DataError::new_err(error.to_string()))?));
    }
    if table.hasattr("__arrow_c_array__")? {
        let batch = RecordBatch::from_pyarrow_bound(table)?;
        return Ok((batch.schema(), vec![batch]));
    }
    Err(PyTypeError::new_err(format!(
        "a table is expected (of pyarrow, pandas 2.2, polars, or anything with the Arrow C interface), found {}",
        table.get_type().name()?
    )))
}

/// The places of the columns of a pair in a table, whatever they are called there.
pub(crate) struct Sides {
    places: Vec<usize>,
    schema: SchemaRef,
}

impl Sides {
    /// The columns that hold the left and the right sides, and the column `task`, if there is one.
    pub(crate) fn of(schema: &Schema, left: &str, right: &str) -> PyResult<Self> {
        let place = |name: &str| {
            schema.index_of(name).map_err(|_| {
                let names = schema.fields().iter().map(|field| format!("`{}`", field.name()));
                PyValueError::new_err(format!(
                    "the table has no column `{name}`; it has {}",
                    names.collect::<Vec<_>>().join(", ")
                ))
            })
        };
        let mut places = vec![place(left)?, place(right)?];
        places.extend(schema.index_of("task").ok());
        let fields = places.iter().zip(["left", "right", "task"]);
        let fields = fields.map(|(&place, name)| schema.field(place).clone().with_name(name));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { places, schema })
    }

    /// These columns alone, under the names that a pair's columns have.
    pub(crate) fn take(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.places.iter().map(|&place| batch.column(place).clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

/// A table of three columns, made of sequences of texts and structured products.
pub(crate) fn table(
    lefts: &Bound<'_, PyAny>,
    rights: &Bound<'_, PyAny>,
    tasks: Option<&Bound<'_, PyAny>>,
) -> PyResult<RecordBatch> {
    let mut columns = vec![side("left", lefts)?, side("right", rights)?];
    if let Some(tasks) = tasks {
        columns.push(side("task", tasks)?);
    }
    let lengths: Vec<usize> = columns.iter().map(|(_, array)| array.len()).collect();
    if lengths.iter().any(|&length| length != lengths[0]) {
        let [left, right] = [lengths[0], lengths[1]];
        return Err(PyValueError::new_err(match lengths.get(2) {
            Some(tasks) => format!(
                "there are {left} left sides, {right} right sides and {tasks} tasks; give as many of each, or one task for all as a string"
            ),
            None => format!("there are {left} left sides and {right} right sides; give as many"),
        }));
    }
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error: ArrowError| PyValueError::new_err(error.to_string()))
}

/// A column of texts; or, if any value is a product with fields, a column of JSON.
fn side(name: &'static str, values: &Bound<'_, PyAny>) -> PyResult<(Field, ArrayRef)> {
    let mut cells: Vec<Option<Cell>> = Vec::with_capacity(values.len().unwrap_or(0));
    for (row, value) in values.try_iter()?.enumerate() {
        cells.push(Cell::of(name, row, &value?)?);
    }
    if cells.iter().flatten().all(|cell| matches!(cell, Cell::Text(_))) {
        let texts = cells.iter().map(|cell| cell.as_ref().map(Cell::as_str));
        let array: StringArray = texts.collect();
        return Ok((Field::new(name, DataType::Utf8, true), Arc::new(array)));
    }
    let json = cells.iter().map(|cell| match cell {
        None => None,
        Some(Cell::Text(text)) => Some(serde_json::Value::from(&**text).to_string()),
        Some(Cell::Json(json)) => Some((**json).to_owned()),
    });
    let array: StringArray = json.collect();
    Ok((sextant_data::json_field(name), Arc::new(array)))
}

/// A value of a sequence. Its text stays Python's.
enum Cell {
    Text(PyBackedStr),
    /// A product, as JSON.
    Json(PyBackedStr),
}

impl Cell {
    fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }

    /// `None` for an absent value, which is an error of the row later on.
    fn of(name: &str, row: usize, value: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if let Ok(text) = value.extract() {
            return Ok(Some(Self::Text(text)));
        }
        if value.is_none() {
            return Ok(None);
        }
        if value.is_instance_of::<PyDict>() {
            let json = value.py().import("json")?.call_method1("dumps", (value,))?;
            return Ok(Some(Self::Json(json.extract()?)));
        }
        Err(PyTypeError::new_err(format!(
            "row {row} (counted from 0), {name}: a text or a product (a dict with `title`) is expected, found {}",
            value.get_type().name()?
        )))
    }
}
