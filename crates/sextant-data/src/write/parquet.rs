//! Parquet output: rows are gathered into batches, batches into row groups.

use super::column::cell;
use super::{AtomicFile, Column, ColumnKind};
use crate::DataError;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Float64Builder, Int64Array, ListBuilder, RecordBatch,
    StringArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use std::sync::Arc;

const BATCH_ROWS: usize = 4096;
/// Row groups are kept in memory until full: this bounds it.
const ROW_GROUP_ROWS: usize = 16 * BATCH_ROWS;

type Cells = Vec<Option<Value>>;

pub(super) struct ParquetSink {
    writer: ArrowWriter<AtomicFile>,
    schema: SchemaRef,
    kinds: Vec<ColumnKind>,
    /// Values by column, at most [`BATCH_ROWS`] each.
    pending: Vec<Cells>,
    rows: usize,
}

impl ParquetSink {
    pub(super) fn open(file: AtomicFile, columns: &[Column]) -> Result<Self, DataError> {
        let path = file.path().to_owned();
        let field = |column: &Column| Field::new(&column.name, data_type(column.kind), true);
        let schema: SchemaRef =
            Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))
            .map_err(|error| DataError::write(&path, error))?;
        Ok(Self {
            writer,
            schema,
            kinds: columns.iter().map(|column| column.kind).collect(),
            pending: vec![Vec::new(); columns.len()],
            rows: 0,
        })
    }

    pub(super) fn write(&mut self, values: Cells) -> Result<(), ParquetError> {
        for (cells, value) in self.pending.iter_mut().zip(values) {
            cells.push(value);
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let columns = self.kinds.iter().zip(&mut self.pending);
        let arrays = columns.map(|(kind, cells)| array(*kind, &std::mem::take(cells))).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays)?;
        self.writer.write(&batch)
    }

    pub(super) fn finish(mut self) -> Result<AtomicFile, ParquetError> {
        self.flush()?;
        self.writer.into_inner()
    }
}

impl std::fmt::Debug for ParquetSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetSink").field("schema", &self.schema).finish_non_exhaustive()
    }
}

fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Number => DataType::Float64,
        ColumnKind::Boolean => DataType::Boolean,
        ColumnKind::Numbers => DataType::new_list(DataType::Float64, true),
    }
}

fn array(kind: ColumnKind, cells: &[Option<Value>]) -> ArrayRef {
    let values = cells.iter().map(Option::as_ref);
    match kind {
        ColumnKind::Text => {
            let texts = values.map(|value| value.map(|value| cell(Some(value))));
            Arc::new(texts.collect::<StringArray>())
        }
        ColumnKind::Integer => {
            Arc::new(values.map(|value| value.and_then(Value::as_i64)).collect::<Int64Array>())
        }
        ColumnKind::Number => {
            Arc::new(values.map(|value| value.and_then(Value::as_f64)).collect::<Float64Array>())
        }
        ColumnKind::Boolean => {
            Arc::new(values.map(|value| value.and_then(Value::as_bool)).collect::<BooleanArray>())
        }
        ColumnKind::Numbers => {
            let mut lists = ListBuilder::new(Float64Builder::new());
            for value in values {
                let list = value.and_then(Value::as_array);
                for number in list.into_iter().flatten() {
                    lists.values().append_option(number.as_f64());
                }
                lists.append(list.is_some());
            }
            Arc::new(lists.finish())
        }
    }
}
