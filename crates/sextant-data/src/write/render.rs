//! Writes Arrow values as JSON and as text, for output formats that lack their types.
//!
//! There is one set of rules, which `docs/data-format.md` states: numbers have all their digits, times are in
//! ISO 8601, bytes are hexadecimal digits, and JSON has no number for infinity or NaN.

use crate::json_text;
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_json::writer::{NullableEncoder, make_encoder};
use arrow_json::{Encoder, EncoderFactory, EncoderOptions};
use arrow_schema::ArrowError;
use arrow_schema::{DataType, FieldRef};
use std::io::Write;
use std::sync::Arc;

/// The options for encoding arrays as JSON. Nulls inside structs, maps and lists are kept.
pub(super) fn json_options() -> EncoderOptions {
    EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(Rules))
}

/// The values of an array as texts, for cells of CSV.
pub(super) fn texts(field: &FieldRef, array: &ArrayRef) -> Result<StringArray, ArrowError> {
    if let Some(raw) = json_text::texts(field, array) {
        let cells = raw.iter().map(|raw| raw.and_then(json_text::cell));
        return Ok(cells.collect());
    }
    let mut texts = StringBuilder::with_capacity(array.len(), 0);
    match array.data_type() {
        DataType::Utf8 => return Ok(array.as_string().clone()),
        DataType::LargeUtf8 | DataType::Utf8View => {
            return Ok(cast(array, &DataType::Utf8)?.as_string().clone());
        }
        // Unlike JSON, text can hold infinity and NaN.
        float if float.is_floating() => {
            let options = FormatOptions::new();
            let formatter = ArrayFormatter::try_new(array, &options)?;
            for row in 0..array.len() {
                if array.is_null(row) {
                    texts.append_null();
                } else {
                    texts.append_value(formatter.value(row).try_to_string()?);
                }
            }
        }
        _ => {
            let options = json_options();
            let mut encoder = make_encoder(field, array, &options)?;
            let mut json = Vec::new();
            for row in 0..array.len() {
                if encoder.is_null(row) {
                    texts.append_null();
                    continue;
                }
                json.clear();
                encoder.encode(row, &mut json);
                let json = String::from_utf8_lossy(&json);
                texts.append_value(json_text::cell(&json).unwrap_or_default());
            }
        }
    }
    Ok(texts.finish())
}

/// The encoders of types for which arrow-json's own rules are not used.
#[derive(Debug)]
struct Rules;

impl EncoderFactory for Rules {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let nulls = array.nulls().cloned();
        if json_text::is_json(field)
            && let Some(raw) = array.as_string_opt::<i32>()
        {
            return Ok(Some(NullableEncoder::new(Box::new(Raw(raw)), nulls)));
        }
        if array.data_type().is_temporal() {
            return Ok(Some(NullableEncoder::new(Box::new(Temporal::new(array)?), nulls)));
        }
        Ok(None)
    }
}

/// Writes raw JSON as it was read.
struct Raw<'a>(&'a StringArray);

impl Encoder for Raw<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(json_text::line(self.0.value(row)).as_bytes());
    }
}

/// Writes dates, times and durations in ISO 8601. A value that is out of the calendar's range is written as
/// its whole number; arrow's own encoder would write an error message in its place.
struct Temporal<'a> {
    formatter: ArrayFormatter<'a>,
    numbers: Option<Int64Array>,
}

const STRICT: FormatOptions<'static> = FormatOptions::new().with_display_error(false);

impl<'a> Temporal<'a> {
    fn new(array: &'a dyn Array) -> Result<Self, ArrowError> {
        let numbers = cast(array, &DataType::Int64).ok();
        Ok(Self {
            formatter: ArrayFormatter::try_new(array, &STRICT)?,
            numbers: numbers.map(|numbers| numbers.as_primitive::<Int64Type>().clone()),
        })
    }
}

impl Encoder for Temporal<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        // Writing to a `Vec` cannot fail.
        let _ = match (self.formatter.value(row).try_to_string(), &self.numbers) {
            // A duration that is out of range is formatted as `<invalid>`.
            (Ok(text), _) if !text.starts_with('<') => write!(out, "\"{text}\""),
            (_, Some(numbers)) => write!(out, "{}", numbers.value(row)),
            (_, None) => out.write_all(b"null"),
        };
    }
}
