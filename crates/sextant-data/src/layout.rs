//! The columns of a file.

use arrow_schema::SchemaRef;
use parquet::schema::types::TypePtr;

/// The columns of a file, known before its rows are read.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The columns.
    pub schema: SchemaRef,
    /// The Parquet schema of these columns, if they come from a Parquet file.
    pub parquet: Option<TypePtr>,
}

impl From<SchemaRef> for Layout {
    fn from(schema: SchemaRef) -> Self {
        Self { schema, parquet: None }
    }
}
