//! Readers of rows.

use crate::Scratch;
use sextant_core::Task;
use sextant_data::{
    BatchReader, BatchWriter, DataError, Encoding, Format, Labels, Output, Quoting, ReadOptions,
    RowReader, pairs,
};
use std::path::Path;

/// Rows after which reading ends: an input of a megabyte has no more that differ in kind.
const ROWS: usize = 20_000;

/// Options for reading, chosen by the bits of one byte.
fn options(choice: u8) -> ReadOptions {
    ReadOptions {
        encoding: if choice & 1 == 0 { Encoding::Utf8 } else { Encoding::Latin1 },
        default_task: (choice & 64 != 0).then_some(Task::QueryProduct),
        labels: if choice & 128 != 0 { Labels::Required } else { Labels::Optional },
        quoting: [None, Some(Quoting::Rfc4180), Some(Quoting::Backslash), Some(Quoting::None)]
            [usize::from(choice >> 1 & 3)],
        max_row_bytes: if choice & 8 == 0 { ReadOptions::MAX_ROW_BYTES } else { 256 },
        ..ReadOptions::default()
    }
}

/// Reads a file as scoring does, in columns, and writes these in every format.
fn columns(path: &Path, options: &ReadOptions) {
    for format in Format::ALL {
        let reader = BatchReader::surveyed(path, options, &["score"], |_| Ok(()));
        let Ok(mut reader) = reader else { return };
        let output = Output::stream("output", Box::new(std::io::sink()));
        let Ok(mut writer) = BatchWriter::create(output, format, reader.layout()) else { continue };
        let mut rows = 0;
        while rows < ROWS
            && let Some(Ok(batch)) = reader.next_batch(1000)
        {
            rows += batch.columns.num_rows().max(1);
            let _ = pairs(&batch.columns, options.default_task);
            if writer.write(&batch.columns).is_err() {
                break;
            }
        }
        let _ = writer.finish();
    }
}

/// Reads a file as scoring does, then as training does: every row, going on after a bad one. Returns whether
/// there was a row.
fn read(path: &Path, options: &ReadOptions) -> bool {
    columns(path, options);
    let Ok(reader) = RowReader::open(path, options) else { return false };
    let mut read = false;
    for row in reader.take(ROWS) {
        match row {
            Ok(_) => read = true,
            Err(error) => {
                let _ = error.to_string();
                if !matches!(error, DataError::Row(_)) {
                    break;
                }
            }
        }
    }
    read
}

/// CSV or TSV, as the first byte says.
pub(crate) fn separated(scratch: &Scratch, bytes: &[u8]) -> bool {
    let Some((&choice, bytes)) = bytes.split_first() else { return false };
    let name = if choice & 32 == 0 { "rows.csv" } else { "rows.tsv" };
    read(&scratch.file(name, bytes), &options(choice & !32))
}

/// JSONL.
pub(crate) fn jsonl(scratch: &Scratch, bytes: &[u8]) -> bool {
    let Some((&choice, bytes)) = bytes.split_first() else { return false };
    read(&scratch.file("rows.jsonl", bytes), &options(choice))
}

/// Parquet.
pub(crate) fn parquet(scratch: &Scratch, bytes: &[u8]) -> bool {
    read(&scratch.file("rows.parquet", bytes), &options(64))
}
