//! One side of a pair: plain text, or a structured product.

use serde::{Deserialize, Serialize};

/// A structured product. Only the title is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The name under which the product is sold.
    pub title: String,
    /// The product's brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Free text about the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Named properties, the most important first: (`color`, `red`), ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    /// The product's place in a taxonomy, from the root down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub type_path: Vec<String>,
}

/// One side of a pair. In JSON, it is a string, or an object with at least a `title`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a string, or a product object {title, brand, description, attributes, type_path}"
)]
pub enum Entity {
    /// A query, a type's name, or a product known only by its title.
    Text(String),
    /// A product with fields.
    Product(Box<Product>),
}

impl From<&str> for Entity {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Entity {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Product> for Entity {
    fn from(product: Product) -> Self {
        Self::Product(Box::new(product))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_takes_strings_and_products() {
        assert_eq!(serde_json::from_str::<Entity>("\"drill\"").unwrap(), Entity::from("drill"));
        let json = r#"{"title":"Drill 18V","brand":"Acme","attributes":[["volts","18"]]}"#;
        let product: Entity = serde_json::from_str(json).unwrap();
        assert_eq!(product.text(), "Drill 18V");
        assert_eq!(serde_json::to_string(&product).unwrap(), json);
        assert!(serde_json::from_str::<Entity>(r#"{"name":"Drill"}"#).is_err());
    }

    #[test]
    fn blank_is_white_space_only() {
        assert!(Entity::from(" \t").is_blank());
        assert!(!Entity::from("x").is_blank());
    }
}
