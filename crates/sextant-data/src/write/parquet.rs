//! Parquet output, in which batches are gathered into row groups.

use super::{Output, Sink, SinkError};
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter, arrow_writer::ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use std::sync::Arc;

/// The most rows and bytes of a row group, which is kept in memory until it is full.
const ROW_GROUP_ROWS: usize = 1 << 16;
const ROW_GROUP_BYTES: usize = 128 << 20;

pub(super) struct ParquetSink(ArrowWriter<Output>);

impl ParquetSink {
    /// `source` is the schema of the Parquet file from which columns of the same name come, if there is one.
    pub(super) fn new(
        output: Output,
        schema: &SchemaRef,
        source: Option<&Type>,
    ) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_key_value_metadata(key_values(schema))
            .build();
        let mut options = ArrowWriterOptions::new().with_properties(properties);
        if let Some(source) = source {
            options = options.with_parquet_schema(annotated(schema, source)?);
        }
        Ok(Self(ArrowWriter::try_new_with_options(output, schema.clone(), options)?))
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        Ok(self.0.write(batch)?)
    }

    fn finish(self: Box<Self>) -> Result<Output, SinkError> {
        Ok(self.0.into_inner()?)
    }
}

/// The schema's metadata as key-value pairs of the file's footer, where programs look that do not use Arrow.
fn key_values(schema: &Schema) -> Option<Vec<KeyValue>> {
    let mut pairs: Vec<_> = schema.metadata().iter().collect();
    pairs.sort();
    let pairs = pairs.into_iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Some(pairs.collect::<Vec<_>>()).filter(|pairs| !pairs.is_empty())
}

/// The Parquet schema of `schema`, in which columns with the same layout as in `source` keep their
/// annotations from there. Some of these annotations cannot be stated in an Arrow schema: UUID, JSON, ENUM,
/// field ids.
fn annotated(schema: &Schema, source: &Type) -> Result<SchemaDescriptor, ParquetError> {
    let plain = ArrowSchemaConverter::new().convert(schema)?;
    let known = |name: &str| source.get_fields().iter().find(|field| field.name() == name);
    let fields = plain.root_schema().get_fields().iter().map(|field| match known(field.name()) {
        Some(original) if same_layout(field, original) => original.clone(),
        _ => field.clone(),
    });
    let root = Type::group_type_builder(source.name()).with_fields(fields.collect()).build()?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

/// Whether two columns are equal except for their annotations.
fn same_layout(one: &TypePtr, other: &TypePtr) -> bool {
    let (left, right) = (one.get_basic_info(), other.get_basic_info());
    if left.name() != right.name() || left.repetition() != right.repetition() {
        return false;
    }
    match (&**one, &**other) {
        (
            Type::PrimitiveType {
                physical_type: a, type_length: b, scale: c, precision: d, ..
            },
            Type::PrimitiveType {
                physical_type: e, type_length: f, scale: g, precision: h, ..
            },
        ) => (a, b, c, d) == (e, f, g, h),
        (Type::GroupType { fields: left, .. }, Type::GroupType { fields: right, .. }) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(one, other)| same_layout(one, other))
        }
        _ => false,
    }
}
