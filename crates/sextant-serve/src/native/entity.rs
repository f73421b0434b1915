//! Entities and names of tasks in requests.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sextant_core::{Entity, Product, ProductProblem, Task, Unrepeated};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, Type};

/// An entity in a request: a text, or a structured product, written as in files of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EntityInput(pub Entity);

impl<'de> Deserialize<'de> for EntityInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unrepeated(value) = Unrepeated::deserialize(deserializer)?;
        match value {
            Value::String(text) => Ok(Self(text.into())),
            Value::Object(fields) => {
                let product = Product::from_json(fields)
                    .map_err(|problem| D::Error::custom(said(&problem)))?;
                Ok(Self(product.into()))
            }
            // The value is not repeated in the message: it may be a text of the user's.
            _ => Err(D::Error::custom("expected a text in quotes, or a product object")),
        }
    }
}

/// What is wrong with a product, without any value or key of the request.
fn said(problem: &ProductProblem) -> Cow<'static, str> {
    match problem {
        ProductProblem::UnknownField(_) => {
            "a product has the fields title, brand, description, attributes and type_path, and no other".into()
        }
        ProductProblem::NoTitle => "a product needs a `title`".into(),
        ProductProblem::WrongType { field, expected, .. } => {
            let field = field.split('.').next().unwrap_or_default();
            format!("the product's `{field}` is not {expected}").into()
        }
    }
}

impl utoipa::PartialSchema for EntityInput {
    fn schema() -> RefOr<Schema> {
        let text = || Object::with_type(Type::String);
        let pair = ArrayBuilder::new().items(text()).min_items(Some(2)).max_items(Some(2));
        let product = ObjectBuilder::new()
            .description(Some("A structured product. Only the title is required."))
            .property("title", text())
            .required("title")
            .property("brand", text())
            .property("description", text())
            .property(
                "attributes",
                ArrayBuilder::new().items(pair).description(Some(
                    "Pairs of name and value, the most important first. An object is read too.",
                )),
            )
            .property(
                "type_path",
                ArrayBuilder::new()
                    .items(text())
                    .description(Some("The place in a taxonomy, from the root down.")),
            );
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A query, a type's name, or a product's title."));
        OneOfBuilder::new().item(text).item(product).into()
    }
}

impl utoipa::ToSchema for EntityInput {
    fn name() -> Cow<'static, str> {
        "Entity".into()
    }
}

/// The name of a task, such as `query-product`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct TaskName(pub Task);

impl<'de> Deserialize<'de> for TaskName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Value::deserialize(deserializer)?;
        let task = name.as_str().and_then(|name| name.trim().parse().ok());
        task.map(Self).ok_or_else(|| {
            let known = Task::ALL.map(Task::as_str).join(", ");
            D::Error::custom(format!("expected the name of a task: {known}"))
        })
    }
}

impl utoipa::PartialSchema for TaskName {
    fn schema() -> RefOr<Schema> {
        let names = Task::ALL.map(Task::as_str);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl utoipa::ToSchema for TaskName {
    fn name() -> Cow<'static, str> {
        "Task".into()
    }
}
