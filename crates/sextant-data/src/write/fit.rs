//! The types that columns have in each output format, and the conversion of arrays to them.

use super::render::{json_options, texts};
use crate::{DataError, Format, entity, json_text};
use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array,
    new_empty_array, new_null_array,
};
use arrow_cast::cast;
use arrow_json::writer::make_encoder;
use arrow_schema::ArrowError;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use serde_json::Value;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// The columns of a file of `format` to which columns of `schema` are written.
///
/// Parquet takes every column as it is. In CSV all columns are texts. JSONL has objects, so the text of a
/// table's cell that stands for a product becomes an object.
///
/// # Errors
/// A type cannot be written as JSON; the error names the column.
pub(super) fn schema_for(
    format: Format,
    schema: &Schema,
    path: &Path,
) -> Result<SchemaRef, DataError> {
    let fit = |field: &FieldRef| -> Result<Field, DataError> {
        if format == Format::Parquet {
            return Ok(field.as_ref().clone());
        }
        // Making an encoder for an empty array finds out, before there are values, whether the type can be
        // written as JSON.
        let flat = flat_type(field.data_type());
        let empty = new_empty_array(&flat);
        make_encoder(field, &empty, &json_options()).map_err(|source| DataError::ColumnType {
            path: path.to_owned(),
            column: field.name().clone(),
            data_type: field.data_type().to_string(),
            problem: source.to_string(),
        })?;
        let is_text = !json_text::is_json(field) && is_string(&flat);
        Ok(match format {
            Format::Jsonl if is_text && ["left", "right"].contains(&field.name().as_str()) => {
                json_text::field(field.name())
            }
            Format::Jsonl => field.as_ref().clone().with_data_type(flat).with_nullable(true),
            _ => Field::new(field.name(), DataType::Utf8, true),
        })
    };
    let fields = schema.fields().iter().map(fit).collect::<Result<Vec<_>, _>>()?;
    let metadata = schema.metadata().clone();
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

fn is_string(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The type of the values of a dictionary or of a run-end encoded array; any other type as it is.
fn flat_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => flat_type(values),
        DataType::RunEndEncoded(_, values) => flat_type(values.data_type()),
        other => other.clone(),
    }
}

/// Converts an array of the column `from` to the type of the column `to`; without `from`, all values are
/// null.
///
/// # Errors
/// The row, from 0, and the value that `to` cannot hold, or an array that cannot be converted at all.
pub(super) fn fit(
    from: Option<(&FieldRef, &ArrayRef)>,
    to: &Field,
    rows: usize,
) -> Result<ArrayRef, FitError> {
    let Some((field, array)) = from else { return Ok(new_null_array(to.data_type(), rows)) };
    let flat = flat_type(array.data_type());
    let array = if &flat == array.data_type() || field.data_type() == to.data_type() {
        array.clone()
    } else {
        cast(array, &flat)?
    };
    match (json_text::texts(field, &array), json_text::is_json(to)) {
        (Some(_), true) => Ok(array),
        (Some(raw), false) => parsed(raw, to.data_type()),
        (None, true) => Ok(Arc::new(json_sides(&texts(field, &array)?))),
        (None, false) if array.data_type() == to.data_type() => Ok(array),
        (None, false) if to.data_type() == &DataType::Utf8 => Ok(Arc::new(texts(field, &array)?)),
        (None, false) => Err(ArrowError::CastError(format!(
            "the column was {} and is {} here",
            to.data_type(),
            field.data_type()
        ))
        .into()),
    }
}

/// Why an array does not fit.
#[derive(Debug)]
pub(super) enum FitError {
    /// The value of one row does not fit.
    Value { row: usize, found: String },
    /// The array as a whole cannot be converted.
    Array(ArrowError),
}

impl From<ArrowError> for FitError {
    fn from(error: ArrowError) -> Self {
        Self::Array(error)
    }
}

/// The cells of `left` or `right` as JSON: a cell with a product object becomes an object, any other cell a
/// string.
fn json_sides(cells: &StringArray) -> StringArray {
    let json = |cell: &str| {
        if entity::looks_like_object(cell) {
            json_text::line(cell.trim()).into_owned()
        } else {
            Value::from(cell).to_string()
        }
    };
    cells.iter().map(|cell| cell.map(json)).collect()
}

/// Raw JSON as values of a type.
fn parsed(raw: &StringArray, data_type: &DataType) -> Result<ArrayRef, FitError> {
    let rows = raw.iter().map(|raw| raw.filter(|&raw| raw != "null"));
    Ok(match data_type {
        DataType::Utf8 => {
            let cells: StringArray = rows.map(|raw| raw.and_then(json_text::cell)).collect();
            Arc::new(cells)
        }
        DataType::Int64 => Arc::new(each::<i64, Int64Array>(rows)?),
        DataType::UInt64 => Arc::new(each::<u64, UInt64Array>(rows)?),
        DataType::Float64 => Arc::new(each::<f64, Float64Array>(rows)?),
        DataType::Boolean => Arc::new(each::<bool, BooleanArray>(rows)?),
        DataType::List(_) => {
            let mut lists = ListBuilder::new(Float64Builder::new());
            for (row, raw) in rows.enumerate() {
                let list = raw.map(|raw| parse::<Vec<Option<f64>>>(row, raw)).transpose()?;
                for &number in list.iter().flatten() {
                    lists.values().append_option(number);
                }
                lists.append(list.is_some());
            }
            Arc::new(lists.finish())
        }
        other => {
            let problem = format!("no rule from JSON to {other}");
            return Err(ArrowError::CastError(problem).into());
        }
    })
}

fn each<'a, T: serde::de::DeserializeOwned, A: FromIterator<Option<T>>>(
    rows: impl Iterator<Item = Option<&'a str>>,
) -> Result<A, FitError> {
    let values = rows.enumerate().map(|(row, raw)| raw.map(|raw| parse(row, raw)).transpose());
    values.collect()
}

fn parse<T: serde::de::DeserializeOwned>(row: usize, raw: &str) -> Result<T, FitError> {
    let short = || entity::shorten_text(Cow::Borrowed(raw));
    serde_json::from_str(raw).map_err(|_| FitError::Value { row, found: short() })
}
