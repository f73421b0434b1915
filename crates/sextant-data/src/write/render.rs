//! How Arrow values are written as JSON and as text, for output formats that lack their types.
//!
//! One set of rules, stated in `docs/data-format.md`: numbers with all their digits, times by ISO
//! 8601, bytes as hexadecimal digits, and in JSON no number for what is not one.

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

/// The texts of an array, as cells of CSV hold them.
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
        // Text can say that a number is infinite or none, which JSON cannot.
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

/// Where arrow-json's own rules are not ours.
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

/// JSON that is written as it was read.
struct Raw<'a>(&'a StringArray);

impl Encoder for Raw<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(json_text::line(self.0.value(row)).as_bytes());
    }
}

/// Dates, times and durations by ISO 8601. One too far away for the calendar is written as its whole
/// number; arrow's own encoder would write a message in its place.
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
        // Writing to a vector does not fail.
        let _ = match (self.formatter.value(row).try_to_string(), &self.numbers) {
            // `<invalid>` is what a duration out of range is formatted as.
            (Ok(text), _) if !text.starts_with('<') => write!(out, "\"{text}\""),
            (_, Some(numbers)) => write!(out, "{}", numbers.value(row)),
            (_, None) => out.write_all(b"null"),
        };
    }
}
