//! Arrow arrays of any type as JSON values, for the few columns whose values Sextant interprets.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::ArrowError;
use arrow_schema::DataType;
use serde_json::{Map, Value};

/// The values of an array as JSON: numbers, texts and truth values as themselves, structs and maps
/// as objects with their nulls, lists as arrays, anything else (dates, decimals, …) as its text.
pub(crate) fn values(array: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    let length = array.len();
    let mut values: Vec<Value> = match array.data_type() {
        DataType::Null => vec![Value::Null; length],
        DataType::Boolean => {
            let array = array.as_boolean();
            (0..length).map(|i| array.value(i).into()).collect()
        }
        DataType::UInt64 => {
            array.as_primitive::<UInt64Type>().values().iter().map(|&n| n.into()).collect()
        }
        integer if integer.is_integer() => {
            let array = cast(array, &DataType::Int64)?;
            array.as_primitive::<Int64Type>().values().iter().map(|&n| n.into()).collect()
        }
        DataType::Float32 => {
            let numbers = array.as_primitive::<Float32Type>().values();
            numbers.iter().map(|&number| crate::json_number(number)).collect()
        }
        float if float.is_floating() => {
            let array = cast(array, &DataType::Float64)?;
            array.as_primitive::<Float64Type>().values().iter().map(|&n| n.into()).collect()
        }
        DataType::Utf8 => strings(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => strings(array.as_string::<i64>().iter()),
        DataType::Utf8View => strings(array.as_string_view().iter()),
        DataType::Binary => bytes(array.as_binary::<i32>().iter()),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().iter()),
        DataType::BinaryView => bytes(array.as_binary_view().iter()),
        DataType::FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().iter()),
        DataType::Dictionary(_, of) => return self::values(&cast(array, of)?),
        DataType::RunEndEncoded(_, of) => return self::values(&cast(array, of.data_type())?),
        DataType::Struct(fields) => {
            let mut objects = vec![Map::new(); length];
            for (field, child) in fields.iter().zip(array.as_struct().columns()) {
                for (object, value) in objects.iter_mut().zip(self::values(child)?) {
                    object.insert(field.name().clone(), value);
                }
            }
            objects.into_iter().map(Value::Object).collect()
        }
        DataType::List(_) => each(array, |i| list(&array.as_list::<i32>().value(i)))?,
        DataType::LargeList(_) => each(array, |i| list(&array.as_list::<i64>().value(i)))?,
        DataType::FixedSizeList(..) => each(array, |i| list(&array.as_fixed_size_list().value(i)))?,
        DataType::ListView(_) => each(array, |i| list(&array.as_list_view::<i32>().value(i)))?,
        DataType::LargeListView(_) => each(array, |i| list(&array.as_list_view::<i64>().value(i)))?,
        DataType::Map(..) => each(array, |i| {
            let entries = array.as_map().value(i);
            let keys = self::values(&cast(entries.column(0), &DataType::Utf8)?)?;
            let items = self::values(entries.column(1))?;
            let name = |key: Value| key.as_str().unwrap_or_default().to_owned();
            Ok(Value::Object(keys.into_iter().map(name).zip(items).collect()))
        })?,
        _ => {
            let options = FormatOptions::new().with_display_error(false);
            let formatter = ArrayFormatter::try_new(array, &options)?;
            each(array, |i| Ok(formatter.value(i).try_to_string()?.into()))?
        }
    };
    if let Some(nulls) = array.logical_nulls() {
        for (value, valid) in values.iter_mut().zip(nulls.iter()) {
            if !valid {
                *value = Value::Null;
            }
        }
    }
    Ok(values)
}

/// Calls `value` for every row that is not null; a null row gives JSON null.
fn each(
    array: &ArrayRef,
    mut value: impl FnMut(usize) -> Result<Value, ArrowError>,
) -> Result<Vec<Value>, ArrowError> {
    (0..array.len()).map(|i| if array.is_null(i) { Ok(Value::Null) } else { value(i) }).collect()
}

fn list(array: &ArrayRef) -> Result<Value, ArrowError> {
    Ok(Value::Array(values(array)?))
}

fn strings<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Vec<Value> {
    texts.map(Into::into).collect()
}

/// Bytes as texts if they are UTF-8, since some writers do not mark a column of texts as such. Other bytes
/// become a list of numbers, so that they are not taken for a text.
fn bytes<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> Vec<Value> {
    let value = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.into(),
    };
    values.map(|bytes| bytes.map_or(Value::Null, value)).collect()
}
