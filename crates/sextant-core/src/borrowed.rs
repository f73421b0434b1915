//! Pairs and entities that borrow their texts, so that a caller need not copy texts to ask about them.

use crate::{Entity, Pair, Product, Task};
use std::fmt;

/// One side of a [`PairRef`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityRef<'a> {
    /// A query, a type's name, or a product known only by its title.
    Text(&'a str),
    /// A product with fields.
    Product(&'a Product),
}

impl<'a> EntityRef<'a> {
    /// The text that names the entity: the text itself, or the product's title.
    pub fn text(self) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Product(product) => &product.title,
        }
    }

    /// Whether the text that names the entity is empty or only white space.
    pub fn is_blank(self) -> bool {
        self.text().trim().is_empty()
    }
}

impl<'a> From<&'a str> for EntityRef<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Product> for EntityRef<'a> {
    fn from(product: &'a Product) -> Self {
        Self::Product(product)
    }
}

impl<'a> From<&'a Entity> for EntityRef<'a> {
    fn from(entity: &'a Entity) -> Self {
        match entity {
            Entity::Text(text) => Self::Text(text),
            Entity::Product(product) => Self::Product(product),
        }
    }
}

/// Two borrowed entities to compare. A reference to a [`Pair`] converts into a `PairRef`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairRef<'a> {
    /// Which comparison is asked for.
    pub task: Task,
    /// The entity of the task's first kind.
    pub left: EntityRef<'a>,
    /// The entity of the task's second kind.
    pub right: EntityRef<'a>,
}

impl<'a> PairRef<'a> {
    /// A pair of two texts or products.
    pub fn new(
        task: Task,
        left: impl Into<EntityRef<'a>>,
        right: impl Into<EntityRef<'a>>,
    ) -> Self {
        Self { task, left: left.into(), right: right.into() }
    }
}

impl<'a> From<&'a Pair> for PairRef<'a> {
    fn from(pair: &'a Pair) -> Self {
        Self::new(pair.task, &pair.left, &pair.right)
    }
}

/// The task and the names of both entities, for messages: ``query-type `sofas` and `Home > Furniture` ``. Each
/// name is cut to 60 characters.
impl fmt::Display for PairRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |entity: EntityRef<'_>| {
            let text = entity.text().trim();
            match text.char_indices().nth(60) {
                Some((end, _)) => format!("`{}…`", &text[..end]),
                None => format!("`{text}`"),
            }
        };
        write!(f, "{} {} and {}", self.task, name(self.left), name(self.right))
    }
}

// The methods of owned entities and pairs call those of their borrowed forms.

impl Entity {
    /// The text that names the entity: the text itself, or the product's title.
    pub fn text(&self) -> &str {
        EntityRef::from(self).text()
    }

    /// Whether the text that names the entity is empty or only white space.
    pub fn is_blank(&self) -> bool {
        EntityRef::from(self).is_blank()
    }
}

/// The same text as for [`PairRef`].
impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PairRef::from(self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_lends_its_texts() {
        let drill =
            Product { title: "Drill".into(), brand: Some("Acme".into()), ..Product::default() };
        let pair =
            Pair { task: Task::QueryProduct, left: "red".into(), right: drill.clone().into() };
        let borrowed = PairRef::from(&pair);
        assert_eq!(borrowed, PairRef::new(Task::QueryProduct, "red", &drill));
        assert_eq!(borrowed.to_string(), pair.to_string());
        assert_eq!(borrowed.right.text(), "Drill");
        assert!(EntityRef::from(" \t").is_blank() && !borrowed.left.is_blank());
    }
}
