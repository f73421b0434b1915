//! JSONL as batches of raw JSON.

use super::builder::TextColumns;
use super::projection::Projection;
use super::{BATCH_BYTES, Batch, BatchSource};
use crate::read::json_fields::fields;
use crate::read::{RowFile, jsonl};
use crate::{DataError, RowProblem};
use std::io::BufRead;
use std::sync::Arc;

/// If there are more column names than this at the end of a batch, the next batch starts without columns.
const NAMES: usize = 1000;

pub(super) struct JsonlSource {
    lines: jsonl::JsonLines<Box<dyn BufRead + Send>>,
    columns: TextColumns,
    row_file: Arc<RowFile>,
    projection: Projection,
}

impl JsonlSource {
    pub(super) fn new(
        text: Box<dyn BufRead + Send>,
        row_file: Arc<RowFile>,
        projection: Projection,
        max_row_bytes: usize,
    ) -> Self {
        let lines = jsonl::JsonLines::new(text, RowFile::clone(&row_file), max_row_bytes);
        Self { lines, columns: TextColumns::new(true), row_file, projection }
    }
}

impl BatchSource for JsonlSource {
    fn next(&mut self, rows: usize) -> Option<Result<Batch, DataError>> {
        let Self { lines: input, columns, row_file, projection } = self;
        let (mut lines, mut bad) = (Vec::new(), Vec::new());
        while columns.rows() < rows && bad.len() < rows && columns.bytes() < BATCH_BYTES {
            let (line, text) = match input.next() {
                None => break,
                Some(Ok(line)) => line,
                Some(Err(DataError::Row(error))) => {
                    bad.push(*error);
                    continue;
                }
                Some(Err(error)) => return Some(Err(error)),
            };
            let mut hint = 0;
            let mut repeated = None;
            let whole = fields(text, |name, value| {
                if projection.keeps(&name) {
                    let column = columns.column(&name, hint);
                    if !columns.set(column, value) {
                        repeated.get_or_insert_with(|| name.clone().into_owned());
                    }
                    hint = column + 1;
                }
            });
            if let (Some(()), Some(key)) = (whole, repeated) {
                columns.drop_row();
                bad.push(row_file.row_error(line, None, RowProblem::RepeatedKey(key)));
            } else if whole.is_some() {
                columns.end_row(text);
                lines.push(line);
            } else {
                columns.drop_row();
                let problem = jsonl::parse(text)
                    .err()
                    .unwrap_or_else(|| RowProblem::BadJson("not an object".to_owned()));
                bad.push(row_file.row_error(line, None, problem));
            }
        }
        if lines.is_empty() && bad.is_empty() {
            return None;
        }
        let batch = columns.take(&row_file.path);
        if columns.names() > NAMES {
            *columns = TextColumns::new(true);
        }
        Some(batch.map(|columns| Batch { columns, lines, bad, row_file: row_file.clone() }))
    }
}
