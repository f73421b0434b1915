//! Entities in files: an entity is a string, a product object, or a product object written as text in a cell.

use crate::RowProblem;
use serde_json::Value;
use sextant_core::{Entity, Product, ProductProblem, Unrepeated};
use std::borrow::Cow;

/// Reads one side of a pair.
///
/// `cells_are_text` says that the file has no JSON objects (CSV, Parquet strings), so that a text which
/// begins like a JSON object with a key, `{"`, stands for a product.
pub(crate) fn from_json(value: Value, cells_are_text: bool) -> Result<Entity, RowProblem> {
    let entity = match value {
        Value::String(text) if cells_are_text && looks_like_object(&text) => {
            let Unrepeated(value) = serde_json::from_str(text.trim())
                .map_err(|error| RowProblem::BadProduct(error.to_string()))?;
            return from_json(value, false);
        }
        Value::String(text) => Entity::Text(text),
        Value::Object(fields) => Product::from_json(fields).map_err(bad_product)?.into(),
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

/// Whether a cell's text begins like a product object: with `{` and then a key in quotes, or with `{}`.
/// Any other text with a brace at its start is a plain text.
pub(crate) fn looks_like_object(text: &str) -> bool {
    text.trim_start()
        .strip_prefix('{')
        .is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
}

/// The problem of a product object, told with the value that was found.
fn bad_product(problem: ProductProblem) -> RowProblem {
    RowProblem::BadProduct(match problem {
        ProductProblem::WrongType { field, found, expected } => {
            format!("its `{field}` has {} in place of {expected}", shorten(&found))
        }
        other => other.to_string(),
    })
}

/// The JSON of one side: a string, or a product object.
#[expect(
    clippy::expect_used,
    reason = "strings, lists of strings and string keys always serialize"
)]
pub(crate) fn to_json(entity: &Entity) -> Value {
    serde_json::to_value(entity).expect("entities are plain JSON data")
}

/// The JSON of `value`, shortened for a message.
pub(crate) fn shorten(value: &Value) -> String {
    shorten_text(value.to_string().into())
}

/// A text, shortened for a message.
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
    fn nulls_count_as_absent_and_errors_name_the_field() {
        let expected = Product {
            title: "Drill".into(),
            attributes: vec![("volts".into(), "18".into()), ("new".into(), "true".into())],
            type_path: vec!["Tools".into(), "Drills".into()],
            ..Product::default()
        };
        for attributes in [
            json!({"color": null, "volts": 18, "new": true}),
            json!([["volts", "18"], null, ["color", null], ["new", true]]),
            json!([{"name": "color", "value": null}, {"name": "volts", "value": 18, "unit": null},
                {"name": null, "value": null}, {"name": "new", "value": "true"}]),
        ] {
            let object = json!({"title": "Drill", "description": null, "attributes": attributes,
                "type_path": ["Tools", null, "Drills", null]});
            assert_eq!(read(object).unwrap(), Entity::from(expected.clone()));
        }
        for (field, value) in [
            ("title", json!(3)),
            ("brand", json!(["x"])),
            ("attributes", json!("red")),
            ("attributes", json!([["color"]])),
            ("attributes", json!([{"name": "color", "values": 3}])),
            ("attributes", json!([{"value": 3}])),
            ("attributes.color", json!({"color": {"x": 1}})),
            ("type_path", json!("Tools")),
            ("type_path", json!(["Tools", 3])),
            ("price", json!(3)),
        ] {
            let mut object = json!({"title": "Drill"});
            object[field.split('.').next().unwrap()] = value;
            let error = read(object).unwrap_err().to_string();
            assert!(error.contains(&format!("`{field}`")), "{error}");
        }
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
        // JSONL has objects, so a string in it is never taken for a product.
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
