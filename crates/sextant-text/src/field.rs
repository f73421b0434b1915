//! The fields that a template can show.

use sextant_core::{EntityKind, EntityRef};
use std::borrow::Cow;

/// A part of an entity that a template shows at a `{name}` placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    Text,
    Title,
    Brand,
    Attributes,
    TypePath,
    Description,
}

impl Field {
    pub(crate) const PRODUCT: [Self; 5] =
        [Self::Title, Self::Brand, Self::Attributes, Self::TypePath, Self::Description];

    pub(crate) fn allowed(kind: EntityKind) -> &'static [Self] {
        match kind {
            EntityKind::Product => &Self::PRODUCT,
            EntityKind::Query | EntityKind::Type => &[Self::Text],
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Title => "title",
            Self::Brand => "brand",
            Self::Attributes => "attributes",
            Self::TypePath => "type_path",
            Self::Description => "description",
        }
    }

    /// Whether the field names the entity; other fields add detail.
    pub(crate) const fn is_naming(self) -> bool {
        matches!(self, Self::Text | Self::Title)
    }

    /// Whether truncation takes a field's first tokens rather than its last ones: the end of a type path says
    /// most.
    pub(crate) const fn is_cut_at_start(self) -> bool {
        matches!(self, Self::TypePath)
    }

    /// The text of this field of an entity; empty if the entity does not have it.
    pub(crate) fn value(self, entity: EntityRef<'_>) -> Cow<'_, str> {
        let product = match (self, entity) {
            (Self::Text | Self::Title, _) => return entity.text().trim().into(),
            (_, EntityRef::Text(_)) => return "".into(),
            (_, EntityRef::Product(product)) => product,
        };
        match self {
            Self::Text | Self::Title => product.title.trim().into(),
            Self::Brand => product.brand.as_deref().unwrap_or_default().trim().into(),
            Self::Description => product.description.as_deref().unwrap_or_default().trim().into(),
            Self::TypePath => join(product.type_path.iter().map(|node| node.trim().into()), " > "),
            Self::Attributes => join(
                product.attributes.iter().map(|(name, value)| match (name.trim(), value.trim()) {
                    (_, "") => "".into(),
                    ("", value) => value.into(),
                    (name, value) => format!("{name}: {value}").into(),
                }),
                ", ",
            ),
        }
    }
}

/// Joins the texts that are not empty.
fn join<'a>(texts: impl Iterator<Item = Cow<'a, str>>, between: &str) -> Cow<'a, str> {
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    texts.join(between).into()
}
