//! Rows of Parquet files. Only the columns that Sextant interprets are decoded.

use super::batches::{BatchSource, parquet};
use super::{Map, Record, Records, RowFile, Value};
use crate::arrow_values::values;
use crate::read_options::ReadOptions;
use crate::{DataError, Row};
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use std::fs::File;
use std::sync::Arc;

pub(super) fn records(
    file: File,
    row_file: &RowFile,
    options: &ReadOptions,
) -> Result<(Vec<String>, Records), DataError> {
    let row_file = Arc::new(row_file.clone());
    let known = |name: &str| options.further || Row::COLUMNS.contains(&name);
    let (layout, mut source) = parquet::open(file, &row_file, options, known)?;
    let names = layout.schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Vec::new().into_iter();
    let records = std::iter::from_fn(move || {
        loop {
            if let Some((line, fields)) = rows.next() {
                return Some(Ok(Record { line, fields }));
            }
            let batch = match source.next(usize::MAX)? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            match rows_of(&batch.columns) {
                Ok(fields) => {
                    rows = batch.lines.into_iter().zip(fields).collect::<Vec<_>>().into_iter();
                }
                Err(error) => {
                    let path = row_file.path.clone();
                    return Some(Err(DataError::Parquet { path, source: error.into() }));
                }
            }
        }
    });
    Ok((names, Box::new(records)))
}

fn rows_of(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, ArrowError> {
    let mut rows = vec![Map::with_capacity(batch.num_columns()); batch.num_rows()];
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        for (row, value) in rows.iter_mut().zip(values(array)?) {
            row.insert(field.name().clone(), value);
        }
    }
    Ok(rows)
}
