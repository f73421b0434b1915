//! Parquet, a batch of rows at a time.

use super::{Map, Place, Record, Records, Value};
use crate::DataError;
use crate::write::{Column, ColumnKind};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;

const BATCH_ROWS: usize = 1024;

pub(super) fn records(
    file: File,
    place: Place,
) -> Result<(Option<Vec<Column>>, Records), DataError> {
    let path = place.path;
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| DataError::Parquet {
        path: path.clone(),
        source,
    };
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| fail(error.into()))?;
    let mut columns: Vec<Column> = Vec::new();
    for field in builder.schema().fields() {
        if columns.iter().any(|column| column.name == *field.name()) {
            return Err(DataError::DuplicateColumn { path, column: field.name().clone() });
        }
        columns.push(Column::known_or(field.name(), kind(field.data_type())));
    }
    let mut batches =
        builder.with_batch_size(BATCH_ROWS).build().map_err(|error| fail(error.into()))?;

    let mut rows = Vec::new().into_iter();
    let mut line = 0;
    let records = std::iter::from_fn(move || {
        loop {
            if let Some(fields) = rows.next() {
                line += 1;
                return Some(Ok(Record { line, fields }));
            }
            match batches.next()?.and_then(|batch| rows_of(&batch)) {
                Ok(batch) => rows = batch.into_iter(),
                Err(error) => {
                    let path = path.clone();
                    return Some(Err(DataError::Parquet { path, source: error.into() }));
                }
            }
        }
    });
    Ok((Some(columns), Box::new(records)))
}

fn kind(data_type: &DataType) -> ColumnKind {
    match data_type {
        DataType::Boolean => ColumnKind::Boolean,
        _ if data_type.is_integer() => ColumnKind::Integer,
        _ if data_type.is_floating() => ColumnKind::Number,
        DataType::List(item) | DataType::LargeList(item) if item.data_type().is_numeric() => {
            ColumnKind::Numbers
        }
        _ => ColumnKind::Text,
    }
}

fn rows_of(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, ArrowError> {
    let mut rows = vec![Map::with_capacity(batch.num_columns()); batch.num_rows()];
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        for (row, value) in rows.iter_mut().zip(values(array)?) {
            row.insert(field.name().clone(), value);
        }
    }
    Ok(rows)
}

/// The values of an array as JSON: numbers, texts and truth values as themselves, structs and maps
/// as objects, lists as arrays, anything else (dates, decimals, …) as its text.
fn values(array: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    let mut values: Vec<Value> = match array.data_type() {
        DataType::Null => vec![Value::Null; array.len()],
        DataType::Boolean => {
            let array = array.as_boolean();
            (0..array.len()).map(|i| array.value(i).into()).collect()
        }
        DataType::UInt64 => array
            .as_primitive::<arrow::datatypes::UInt64Type>()
            .values()
            .iter()
            .map(|&number| number.into())
            .collect(),
        integer if integer.is_integer() => {
            let array = cast(array, &DataType::Int64)?;
            array.as_primitive::<Int64Type>().values().iter().map(|&n| n.into()).collect()
        }
        DataType::Float32 => {
            let array = array.as_primitive::<arrow::datatypes::Float32Type>();
            array.values().iter().map(|&number| crate::json_number(number)).collect()
        }
        float if float.is_floating() => {
            let array = cast(array, &DataType::Float64)?;
            array.as_primitive::<Float64Type>().values().iter().map(|&n| n.into()).collect()
        }
        DataType::Struct(fields) => {
            let mut objects = vec![Map::new(); array.len()];
            for (field, child) in fields.iter().zip(array.as_struct().columns()) {
                for (object, value) in objects.iter_mut().zip(self::values(child)?) {
                    object.insert(field.name().clone(), value);
                }
            }
            objects.into_iter().map(Value::Object).collect()
        }
        DataType::List(_) => each(array.len(), |i| list(&array.as_list::<i32>().value(i)))?,
        DataType::LargeList(_) => each(array.len(), |i| list(&array.as_list::<i64>().value(i)))?,
        DataType::Map(..) => each(array.len(), |i| {
            let entries = array.as_map().value(i);
            let keys = self::values(&cast(entries.column(0), &DataType::Utf8)?)?;
            let items = self::values(entries.column(1))?;
            let name = |key: Value| key.as_str().unwrap_or_default().to_owned();
            Ok(Value::Object(keys.into_iter().map(name).zip(items).collect()))
        })?,
        _ => {
            let array = cast(array, &DataType::Utf8)?;
            let array = array.as_string::<i32>();
            (0..array.len()).map(|i| array.value(i).into()).collect()
        }
    };
    for (i, value) in values.iter_mut().enumerate() {
        if array.is_null(i) {
            *value = Value::Null;
        }
    }
    Ok(values)
}

fn each(
    length: usize,
    value: impl FnMut(usize) -> Result<Value, ArrowError>,
) -> Result<Vec<Value>, ArrowError> {
    (0..length).map(value).collect()
}

fn list(array: &ArrayRef) -> Result<Value, ArrowError> {
    Ok(Value::Array(values(array)?))
}
