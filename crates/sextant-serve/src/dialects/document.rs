//! Queries and documents of rerank requests: texts or objects.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sextant_core::{Entity, EntityKind, Product, Unrepeated};

/// A query or a document, as it came.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Document(Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Unrepeated::deserialize(deserializer).map(|Unrepeated(value)| Self(value))
    }
}

impl Document {
    /// The entity that the document stands for, where the task has an entity of `kind`.
    ///
    /// A text is a text. An object with a `text` is that text, as Cohere's documents are. Any other object is a
    /// product: `title` or `name`, `brand`, `description`, `attributes` and `type_path` where they can be read,
    /// and other keys are passed over. With `fields`, only these are read, in their order, and those that a product
    /// has no field for become attributes. Where the task has no product, the text or the title is taken alone.
    ///
    /// # Errors
    /// The document is neither, or has no text.
    pub(super) fn entity(
        &self,
        kind: EntityKind,
        fields: Option<&[String]>,
    ) -> Result<Entity, &'static str> {
        let entity = match &self.0 {
            Value::String(text) => Entity::from(text.as_str()),
            Value::Object(object) => from_object(object, fields)?,
            _ => return Err("expected a text in quotes or an object"),
        };
        match entity {
            Entity::Product(product) if kind != EntityKind::Product => Ok(product.title.into()),
            entity => Ok(entity),
        }
    }

    /// The document's text, for answers that have texts only.
    pub(super) fn text(&self) -> String {
        let entity = self.entity(EntityKind::Product, None);
        entity.map(|entity| entity.text().to_owned()).unwrap_or_default()
    }

    /// The document as an object, for answers that have objects only: a text becomes `{"text": …}`.
    pub(super) fn object(self) -> Value {
        match self.0 {
            Value::String(_) => Value::Object(Map::from_iter([("text".to_owned(), self.0)])),
            other => other,
        }
    }

    /// The characters of all texts in the document.
    pub(super) fn characters(&self) -> usize {
        characters(&self.0)
    }
}

fn characters(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.iter().map(characters).sum(),
        Value::Object(fields) => fields.values().map(characters).sum(),
        _ => 0,
    }
}

fn from_object(
    object: &Map<String, Value>,
    fields: Option<&[String]>,
) -> Result<Entity, &'static str> {
    if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
        return chosen(object, fields);
    }
    if let Some(text) = object.get("text").and_then(Value::as_str) {
        return Ok(text.into());
    }
    let mut known = Map::new();
    for field in ["title", "brand", "description", "attributes", "type_path"] {
        if let Some(value) = object.get(field) {
            // A field that is written in a way of the caller's own is passed over, like an unknown key.
            let alone =
                Map::from_iter([("title".into(), "".into()), (field.into(), value.clone())]);
            if Product::from_json(alone).is_ok() {
                known.insert(field.to_owned(), value.clone());
            }
        }
    }
    if known.get("title").is_none_or(Value::is_null)
        && let Some(name) = object.get("name").filter(|name| name.is_string())
    {
        known.insert("title".to_owned(), name.clone());
    }
    let product = Product::from_json(known);
    product
        .map(Entity::from)
        .map_err(|_| "a document that is an object needs a `text` or a `title`")
}

/// A product of some fields of an object.
fn chosen(object: &Map<String, Value>, fields: &[String]) -> Result<Entity, &'static str> {
    let mut product = Product::default();
    for field in fields {
        let text = match object.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        match field.as_str() {
            "title" | "text" | "name" if product.title.is_empty() => product.title = text,
            "brand" => product.brand = Some(text),
            "description" => product.description = Some(text),
            _ => product.attributes.push((field.clone(), text)),
        }
    }
    if product.title.is_empty() && !product.attributes.is_empty() {
        // None of the fields names the product, so that the first one does.
        product.title = product.attributes.remove(0).1;
    }
    if product.title.is_empty() {
        return Err("a document has none of the `rank_fields`");
    }
    Ok(product.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entity(value: Value, fields: Option<&[&str]>) -> Result<Entity, &'static str> {
        let fields =
            fields.map(|fields| fields.iter().map(ToString::to_string).collect::<Vec<_>>());
        Document(value).entity(EntityKind::Product, fields.as_deref())
    }

    #[test]
    fn texts_and_objects_become_entities() {
        let drill = Product {
            title: "Drill".into(),
            brand: Some("Acme".into()),
            attributes: vec![("volts".into(), "18".into())],
            ..Product::default()
        };
        assert_eq!(entity(json!("Drill"), None), Ok("Drill".into()));
        assert_eq!(entity(json!({"text": "Drill", "id": 7}), None), Ok("Drill".into()));
        let object = json!({"title": "Drill", "brand": "Acme", "price": 9, "description": ["?"], "attributes": {"volts": 18}});
        assert_eq!(entity(object, None), Ok(drill.clone().into()));
        let named = json!({"name": "Drill", "brand": "Acme", "volts": 18, "text": "other"});
        assert_eq!(entity(named, Some(&["name", "volts", "brand"])), Ok(drill.into()));
        for bad in [json!(7), json!(["a"]), json!({"id": 7}), json!(null)] {
            assert!(entity(bad, None).is_err());
        }
        assert!(entity(json!({"title": "Drill"}), Some(&["sku"])).is_err());
    }

    #[test]
    fn tasks_without_a_product_take_the_title_alone() {
        let object = Document(json!({"title": "Drills", "brand": "Acme"}));
        assert_eq!(object.entity(EntityKind::Type, None), Ok("Drills".into()));
    }
}
