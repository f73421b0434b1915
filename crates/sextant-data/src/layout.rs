//! The columns of a file.

use arrow_schema::SchemaRef;
use parquet::schema::types::TypePtr;

/// What the rows of a file look like before they are read.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The columns.
    pub schema: SchemaRef,
    /// The Parquet schema that they come from, where they come from one.
    pub parquet: Option<TypePtr>,
}

impl From<SchemaRef> for Layout {
    fn from(schema: SchemaRef) -> Self {
        Self { schema, parquet: None }
    }
}
