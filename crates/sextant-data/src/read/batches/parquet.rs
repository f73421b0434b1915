//! Reads Parquet files as batches of their own Arrow columns.

use super::pages::{CheckedFile, Whole};
use super::{Batch, BatchSource, dates};
use crate::DataError;
use crate::layout::Layout;
use crate::read::{RowFile, check_columns};
use crate::read_options::ReadOptions;
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::FileReader;
use parquet::schema::types::Type;
use std::fs::File;
use std::sync::Arc;

/// Keys of metadata in which other programs describe all columns of a file. They are dropped, because they
/// would be wrong after columns are added, and these programs would not see the new columns.
const STALE_METADATA: [&str; 3] =
    ["huggingface", "org.apache.spark.sql.parquet.row.metadata", "ARROW:schema"];

/// Opens a file, to read the columns for which `keep` is true.
///
/// # Errors
/// The file is not a Parquet file, has two columns of the same name, or lacks a column that is needed.
pub(in crate::read) fn open(
    file: File,
    row_file: &Arc<RowFile>,
    options: &ReadOptions,
    keep: impl Fn(&str) -> bool,
) -> Result<(Layout, ParquetSource), DataError> {
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| DataError::Parquet {
        path: row_file.path.clone(),
        source,
    };
    let file = Arc::new(Whole(file));
    let found = guarded(|| ArrowReaderMetadata::load(&*file, ArrowReaderOptions::new()));
    let found = found.map_err(fail)?;
    let stored = guarded(|| parquet_to_arrow_schema(found.parquet_schema(), None)).map_err(fail)?;
    let fields = dates::as_stored(found.schema().fields(), stored.fields());
    let schema = Schema::new_with_metadata(fields, found.schema().metadata().clone());
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().clone()).collect();
    if let Some(i) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
        let (path, column) = (row_file.path.clone(), names[i].clone());
        return Err(DataError::DuplicateColumn { path, column });
    }
    check_columns(&row_file.path, &names, options, None)?;

    let kept: Vec<usize> = (0..names.len()).filter(|&i| keep(&names[i])).collect();
    let fields: Vec<_> = kept.iter().map(|&i| schema.field(i).clone()).collect();
    let mut metadata = schema.metadata().clone();
    metadata.retain(|key, _| !STALE_METADATA.contains(&key.as_str()));
    let root = found.parquet_schema().root_schema();
    let parquet = Type::group_type_builder(root.name())
        .with_fields(kept.iter().map(|&i| root.get_fields()[i].clone()).collect())
        .build()
        .map_err(|error| fail(error.into()))?;
    let layout = Layout {
        schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
        parquet: Some(Arc::new(parquet)),
    };

    let mask = ProjectionMask::roots(found.parquet_schema(), kept);
    let rows = batch_rows(found.metadata());
    let file: Arc<dyn FileReader> =
        Arc::new(CheckedFile { file, metadata: found.metadata().clone() });
    let reader = guarded(|| {
        let hint = Some(schema.fields());
        let levels = parquet_to_arrow_field_levels(found.parquet_schema(), mask, hint)?;
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, &file, rows, None)
    });
    let reader = reader.map_err(fail)?;
    Ok((layout, ParquetSource { reader, row_file: row_file.clone(), rows: 0, rest: None }))
}

/// The number of rows of a batch. It is smaller for larger rows, whose size is estimated from the file's row
/// groups.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let groups = metadata.row_groups().iter();
    let row_bytes = groups.map(|group| group.total_byte_size() / group.num_rows().max(1)).max();
    (super::BATCH_BYTES / row_bytes.unwrap_or(0).max(1) as usize).clamp(1, super::BATCH_ROWS)
}

/// Calls the library and turns a panic into an error. The library panics on some damaged files, for example
/// if the Arrow schema in the metadata is truncated.
fn guarded<T, E: std::error::Error + Send + Sync + 'static>(
    call: impl FnOnce() -> Result<T, E>,
) -> Result<T, Box<dyn std::error::Error + Send + Sync>> {
    Ok(sextant_core::guarded(call)??)
}

pub(in crate::read) struct ParquetSource {
    reader: ParquetRecordBatchReader,
    row_file: Arc<RowFile>,
    rows: u64,
    /// The rows of a batch that the last call did not return.
    rest: Option<RecordBatch>,
}

impl BatchSource for ParquetSource {
    fn next(&mut self, rows: usize) -> Option<Result<Batch, DataError>> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match guarded(|| self.reader.next().transpose()).transpose()? {
                Ok(batch) => batch,
                Err(source) => {
                    let path = self.row_file.path.clone();
                    return Some(Err(DataError::Parquet { path, source }));
                }
            },
        };
        let count = batch.num_rows().min(rows);
        if count < batch.num_rows() {
            self.rest = Some(batch.slice(count, batch.num_rows() - count));
        }
        let lines = (self.rows + 1..=self.rows + count as u64).collect();
        self.rows += count as u64;
        let columns = batch.slice(0, count);
        Some(Ok(Batch { columns, lines, bad: Vec::new(), row_file: self.row_file.clone() }))
    }
}
