//! Columns that hold JSON exactly as it was written, one value per row.
//!
//! The columns of a JSONL file are read like this when most values are only passed on: as Arrow's canonical
//! extension type `arrow.json` over UTF-8 texts. A null means that the row does not have the key; a row in
//! which the key has the value `null` holds the text `null`. So numbers of any length and absent keys are
//! kept.

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, Field};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::borrow::Cow;

const NAME_KEY: &str = "ARROW:extension:name";
const METADATA_KEY: &str = "ARROW:extension:metadata";
const JSON: &str = "arrow.json";

/// A column of raw JSON.
pub fn field(name: &str) -> Field {
    let metadata = [(NAME_KEY, JSON), (METADATA_KEY, "")];
    Field::new(name, DataType::Utf8, true)
        .with_metadata(metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
}

/// Whether a column holds raw JSON.
pub(crate) fn is_json(field: &Field) -> bool {
    field.data_type() == &DataType::Utf8
        && field.metadata().get(NAME_KEY).is_some_and(|name| name == JSON)
}

/// The texts of a column of raw JSON; `None` for any other column.
pub(crate) fn texts<'a>(field: &Field, array: &'a ArrayRef) -> Option<&'a StringArray> {
    if is_json(field) { array.as_string_opt::<i32>() } else { None }
}

/// A raw value as the text of a cell: a string is given without its quotes and escapes, `null` as `None`,
/// and any other value as it was written.
pub(crate) fn cell(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes() {
        b"null" => None,
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
            Some(Cow::Borrowed(&raw[1..raw.len() - 1]))
        }
        [b'"', ..] => match serde_json::from_str(raw) {
            Ok(Value::String(text)) => Some(Cow::Owned(text)),
            _ => Some(Cow::Borrowed(raw)),
        },
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// A raw value for a line of JSONL. Usually it is the text itself. Line ends, which another program may have
/// written inside a value, become spaces. A text that is not JSON becomes a JSON string.
pub(crate) fn line(raw: &str) -> Cow<'_, str> {
    match serde_json::from_str::<IgnoredAny>(raw) {
        Ok(_) if raw.contains(['\n', '\r']) => Cow::Owned(raw.replace(['\n', '\r'], " ")),
        Ok(_) => Cow::Borrowed(raw),
        Err(_) => Cow::Owned(Value::from(raw).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_json_whatever_the_column_holds() {
        let cases = [
            ("1.50", "1.50"),
            ("{\n \"a\": 1\r\n}", "{  \"a\": 1  }"),
            ("{\"a\":", "\"{\\\"a\\\":\""),
            ("", "\"\""),
            ("1 2", "\"1 2\""),
        ];
        for (raw, expected) in cases {
            assert_eq!(line(raw), expected, "{raw}");
        }
    }

    #[test]
    fn cells_are_strings_without_quotes_and_all_else_as_written() {
        let cases = [
            ("null", None),
            ("\"\"", Some("")),
            ("\"red\"", Some("red")),
            (r#""3\/4\" \u00e9""#, Some("3/4\" é")),
            ("1.50", Some("1.50")),
            ("123456789012345678901234", Some("123456789012345678901234")),
            (r#"{"a": [1,  2]}"#, Some(r#"{"a": [1,  2]}"#)),
        ];
        for (raw, expected) in cases {
            assert_eq!(cell(raw).as_deref(), expected, "{raw}");
        }
    }
}
