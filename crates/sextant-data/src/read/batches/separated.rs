//! Reads CSV and TSV as batches of text. Cells are unchanged, and an empty cell is a null.

use super::builder::TextColumns;
use super::projection::Projection;
use super::{BATCH_BYTES, Batch, BatchSource};
use crate::layout::Layout;
use crate::read::RowFile;
use crate::read::delimited::Rows;
use crate::read_options::ReadOptions;
use crate::{DataError, Format};
use arrow_schema::{DataType, Field, Schema};
use std::io::BufRead;
use std::sync::Arc;

pub(super) struct SeparatedSource {
    rows: Rows<Box<dyn BufRead + Send>>,
    columns: TextColumns,
    row_file: Arc<RowFile>,
    projection: Projection,
}

/// Reads the header.
///
/// # Errors
/// The header is missing, or lacks a column that is needed.
pub(super) fn open(
    text: Box<dyn BufRead + Send>,
    row_file: &Arc<RowFile>,
    options: &ReadOptions,
    projection: Projection,
) -> Result<(Layout, SeparatedSource), DataError> {
    let separator = if row_file.format == Format::Tsv { b'\t' } else { b',' };
    let rows = Rows::open(text, row_file, separator, options)?;
    let mut columns = TextColumns::new(false);
    let mut fields = Vec::new();
    for name in rows.names().filter(|name| projection.keeps(name)) {
        columns.column(name, fields.len());
        fields.push(Field::new(name, DataType::Utf8, true));
    }
    let layout = Layout::from(Arc::new(Schema::new(fields)));
    Ok((layout, SeparatedSource { rows, columns, row_file: row_file.clone(), projection }))
}

impl BatchSource for SeparatedSource {
    fn next(&mut self, rows: usize) -> Option<Result<Batch, DataError>> {
        let (mut lines, mut bad) = (Vec::new(), Vec::new());
        while self.columns.rows() < rows && bad.len() < rows && self.columns.bytes() < BATCH_BYTES {
            match self.rows.next() {
                None => break,
                Some(Ok((line, cells))) => {
                    // Every row has the header's columns, in the header's order.
                    let kept = cells.into_iter().filter(|(name, _)| self.projection.keeps(name));
                    let texts = kept.map(|(_, text)| Some(text).filter(|text| !text.is_empty()));
                    self.columns.append(texts);
                    lines.push(line);
                }
                Some(Err(DataError::Row(error))) => bad.push(*error),
                Some(Err(error)) => return Some(Err(error)),
            }
        }
        if lines.is_empty() && bad.is_empty() {
            return None;
        }
        let row_file = self.row_file.clone();
        let batch = self.columns.take(&row_file.path);
        Some(batch.map(|columns| Batch { columns, lines, bad, row_file }))
    }
}
