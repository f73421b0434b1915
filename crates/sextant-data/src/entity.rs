//! Entities in files: a string, a product object, or a product object written as text in a cell.

use crate::RowProblem;
use serde_json::{Map, Value};
use sextant_core::{Entity, Product};
use std::borrow::Cow;

/// Reads one side of a pair.
///
/// `cells_are_text` says that the file has no objects of its own (CSV, Parquet strings), so that a
/// text which opens like a JSON object with a key, `{"`, stands for a product.
pub(crate) fn from_json(value: Value, cells_are_text: bool) -> Result<Entity, RowProblem> {
    let entity = match value {
        Value::String(text) if cells_are_text && looks_like_object(&text) => {
            let value = serde_json::from_str(text.trim())
                .map_err(|error| RowProblem::BadProduct(error.to_string()))?;
            return from_json(value, false);
        }
        Value::String(text) => Entity::Text(text),
        Value::Object(fields) => product(fields)?.into(),
        other => {
            return Err(RowProblem::WrongType {
                found: shorten(&other),
                expected: "a text in quotes, or a product object",
            });
        }
    };
    if entity.is_blank() {
        return Err(RowProblem::EmptyText);
    }
    Ok(entity)
}

/// Whether a cell's text is a product object: `{` and then a key in quotes, or `{}`.
/// Any other text that merely starts with a brace stays text.
pub(crate) fn looks_like_object(text: &str) -> bool {
    text.trim_start()
        .strip_prefix('{')
        .is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
}

/// A product from its JSON fields. Nulls count as absent, and attributes may also be an object or a
/// list of `{name, value}`, because that is what other tools write.
fn product(mut fields: Map<String, Value>) -> Result<Product, RowProblem> {
    fields.retain(|_, value| !value.is_null());
    if let Some(attributes) = fields.get_mut("attributes") {
        let pairs = match attributes.take() {
            Value::Object(map) => map.into_iter().map(|(name, value)| pair(name, value)).collect(),
            Value::Array(list) => list.into_iter().map(attribute).collect(),
            other => other,
        };
        *attributes = pairs;
    }
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| RowProblem::BadProduct(error.to_string()))
}

fn attribute(value: Value) -> Value {
    match value {
        Value::Object(mut map) if map.len() == 2 => match (map.remove("name"), map.remove("value"))
        {
            (Some(Value::String(name)), Some(value)) => pair(name, value),
            _ => Value::Object(map),
        },
        other => other,
    }
}

fn pair(name: String, value: Value) -> Value {
    let value = match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        other => other,
    };
    Value::Array(vec![Value::String(name), value])
}

/// The JSON of one side: a string, or a product object.
#[expect(
    clippy::expect_used,
    reason = "strings, lists of strings and string keys always serialize"
)]
pub(crate) fn to_json(entity: &Entity) -> Value {
    serde_json::to_value(entity).expect("entities are plain JSON data")
}

/// The JSON of `value`, cut short for a message.
pub(crate) fn shorten(value: &Value) -> String {
    shorten_text(value.to_string().into())
}

/// A text, cut short for a message.
pub(crate) fn shorten_text(text: Cow<'_, str>) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Entity, RowProblem> {
        from_json(value, true)
    }

    #[test]
    fn a_cell_with_an_object_is_a_product() {
        let object = json!({"title": "Drill", "brand": null, "attributes": {"volts": 18}});
        let expected = Product {
            title: "Drill".into(),
            attributes: vec![("volts".into(), "18".into())],
            ..Product::default()
        };
        for value in [object.clone(), json!(format!("  {object}"))] {
            assert_eq!(read(value).unwrap(), Entity::from(expected.clone()));
        }
        let listed = json!({"title": "Drill", "attributes": [{"name": "volts", "value": "18"}]});
        assert_eq!(read(listed).unwrap(), Entity::from(expected));
    }

    #[test]
    fn json_of_a_product_reads_back() {
        let product = Product {
            title: "Drill".into(),
            brand: Some("Acme".into()),
            description: Some("Strong".into()),
            attributes: vec![("volts".into(), "18".into())],
            type_path: vec!["Tools".into(), "Drills".into()],
        };
        let json = to_json(&product.clone().into());
        assert_eq!(read(json.to_string().into()).unwrap(), Entity::from(product.clone()));
        assert_eq!(read(json).unwrap(), Entity::from(product));
    }

    #[test]
    fn braces_alone_are_text_but_a_broken_object_is_not() {
        for text in ["{curly} brace set", "{", "{ x", "3/4\" pipe"] {
            assert_eq!(read(json!(text)).unwrap(), Entity::from(text));
        }
        for text in ["{\"title\": \"Dr", "{}", "{\"name\": \"Drill\"}", "{\"title\": 3}"] {
            assert!(matches!(read(json!(text)), Err(RowProblem::BadProduct(_))), "{text}");
        }
        // In JSONL an object is an object, so a string is never one.
        let text = "{\"title\": \"Drill\"}";
        assert_eq!(from_json(json!(text), false).unwrap(), Entity::from(text));
    }

    #[test]
    fn blank_and_foreign_values_are_refused() {
        for value in [json!(""), json!(" \t"), json!({"title": " "})] {
            assert_eq!(read(value), Err(RowProblem::EmptyText));
        }
        for value in [json!(3), json!(["a"]), json!(true)] {
            assert!(matches!(read(value), Err(RowProblem::WrongType { .. })));
        }
    }
}
