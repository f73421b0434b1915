//! Products as JSON objects, as people and other tools write them: in files of rows and in requests.

use crate::Product;
use serde_json::{Map, Value};

/// Why a JSON object is not a product.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProductProblem {
    /// A product has no field of this name.
    #[error("there is no field `{0}`")]
    UnknownField(String),
    /// Every product needs a title.
    #[error("it has no field `title`")]
    NoTitle,
    /// A field has a value of another type.
    #[error("its `{field}` is not {expected}")]
    WrongType {
        /// The field; an attribute is named `attributes.NAME`.
        field: String,
        /// The value that was found.
        found: Value,
        /// What the field must hold.
        expected: &'static str,
    },
}

fn wrong(field: &str, found: Value, expected: &'static str) -> ProductProblem {
    ProductProblem::WrongType { field: field.to_owned(), found, expected }
}

impl Product {
    /// A product from the fields of a JSON object. A null counts as an absent value everywhere, since structs
    /// and maps of columnar files have nulls in place of all absent values. `attributes` may be pairs of name
    /// and value, an object, or a list of `{name, value}` objects; numbers and truth values in them become
    /// texts.
    ///
    /// # Errors
    /// A field has an unknown name or a value of another type, or the title is missing. An empty title is no
    /// error here.
    pub fn from_json(fields: Map<String, Value>) -> Result<Self, ProductProblem> {
        let mut product = Self::default();
        let mut title = None;
        for (name, value) in fields {
            match &*name {
                _ if value.is_null() => {}
                "title" => title = Some(text(&name, value)?),
                "brand" => product.brand = Some(text(&name, value)?),
                "description" => product.description = Some(text(&name, value)?),
                "attributes" => product.attributes = attributes(value)?,
                "type_path" => product.type_path = type_path(value)?,
                _ => return Err(ProductProblem::UnknownField(name)),
            }
        }
        product.title = title.ok_or(ProductProblem::NoTitle)?;
        Ok(product)
    }
}

fn text(field: &str, value: Value) -> Result<String, ProductProblem> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong(field, other, "a text in quotes")),
    }
}

fn attributes(value: Value) -> Result<Vec<(String, String)>, ProductProblem> {
    let found = match value {
        Value::Object(map) => {
            map.into_iter().map(|(name, value)| attribute(name.into(), value)).collect()
        }
        Value::Array(list) => list.into_iter().map(listed_attribute).collect(),
        other => return Err(wrong("attributes", other, "pairs of name and value")),
    };
    let found: Result<Vec<Option<(String, String)>>, ProductProblem> = found;
    Ok(found?.into_iter().flatten().collect())
}

fn listed_attribute(value: Value) -> Result<Option<(String, String)>, ProductProblem> {
    let pair = match value {
        Value::Null => return Ok(None),
        Value::Array(pair) => <[Value; 2]>::try_from(pair).map_err(Value::Array),
        Value::Object(mut map) => {
            map.retain(|_, value| !value.is_null());
            match (map.shift_remove("name"), map.shift_remove("value")) {
                (Some(name), value) if map.is_empty() => Ok([name, value.unwrap_or(Value::Null)]),
                (None, None) if map.is_empty() => return Ok(None),
                (name, value) => {
                    map.extend(name.map(|name| ("name".to_owned(), name)));
                    map.extend(value.map(|value| ("value".to_owned(), value)));
                    Err(Value::Object(map))
                }
            }
        }
        other => Err(other),
    };
    let [name, value] =
        pair.map_err(|found| wrong("attributes", found, "a pair of name and value"))?;
    attribute(name, value)
}

/// One attribute; `None` if its value is null.
fn attribute(name: Value, value: Value) -> Result<Option<(String, String)>, ProductProblem> {
    let name = match name {
        Value::String(name) => name,
        other => return Err(wrong("attributes", other, "a name in quotes")),
    };
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::String(text) => (name, text),
        Value::Number(number) => (name, number.to_string()),
        Value::Bool(flag) => (name, flag.to_string()),
        other => return Err(wrong(&format!("attributes.{name}"), other, "a text or a number")),
    }))
}

fn type_path(value: Value) -> Result<Vec<String>, ProductProblem> {
    match value {
        Value::Array(types) => {
            let types = types.into_iter().filter(|value| !value.is_null());
            types.map(|value| text("type_path", value)).collect()
        }
        other => Err(wrong("type_path", other, "a list of texts")),
    }
}
