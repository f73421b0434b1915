//! What a map says of a side: the columns of a text or a product.

use serde::Deserialize;

/// A column, or several whose texts are joined by spaces.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "the name of a column, or a list of names")]
pub enum Columns {
    /// One column.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Columns {
    pub(super) fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// One side of the pairs: `text`, or `title` and what else a product has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideSpec {
    /// The text of a side that is plain text.
    pub text: Option<Columns>,
    /// A product's title.
    pub title: Option<Columns>,
    /// Its brand.
    pub brand: Option<Columns>,
    /// Its description.
    pub description: Option<Columns>,
    /// Its attributes.
    pub attributes: Option<AttributesSpec>,
    /// Its types, from the root down.
    pub type_path: Option<TypePathSpec>,
}

/// Where attributes come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "pairs of name and column, { column, pairs, name_value }, or { table }"
)]
pub enum AttributesSpec {
    /// Pairs of a name and the column with the value.
    Listed(Vec<[String; 2]>),
    /// One column with names and values.
    Packed(PackedAttributes),
    /// A table with a row for each attribute.
    Table(TableAttributes),
}

/// Attributes that are written into one column: `color : red|size : 5`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedAttributes {
    /// The column.
    pub column: String,
    /// What separates the attributes.
    pub pairs: String,
    /// What separates a name from its value.
    pub name_value: String,
}

/// The attributes of a table with a row for each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableAttributes {
    /// The table's name.
    pub table: String,
    /// Attributes that are left out.
    #[serde(default)]
    pub except: Vec<String>,
}

/// Where the types of a product come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a column, or { column, separator }")]
pub enum TypePathSpec {
    /// One column: a JSON list of texts, or a text that is the only type.
    Column(String),
    /// One column with the types in it.
    Split(SplitPath),
}

/// Types that are written into one column: `Tools / Drills`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitPath {
    /// The column.
    pub column: String,
    /// What separates the types.
    pub separator: String,
}
