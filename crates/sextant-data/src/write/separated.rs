//! CSV and TSV output: a header and one record per row, with quotes where they are needed.

use super::{Output, Sink, SinkError};
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;
use csv::ByteRecord;

pub(super) struct SeparatedSink {
    writer: csv::Writer<Output>,
    record: ByteRecord,
}

impl SeparatedSink {
    pub(super) fn new(output: Output, separator: u8, schema: &Schema) -> Result<Self, SinkError> {
        let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(output);
        writer.write_record(schema.fields().iter().map(|field| field.name())).map_err(cause)?;
        Ok(Self { writer, record: ByteRecord::new() })
    }
}

impl Sink for SeparatedSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        let columns: Vec<_> = batch.columns().iter().map(AsArray::as_string::<i32>).collect();
        for row in 0..batch.num_rows() {
            self.record.clear();
            for cells in &columns {
                let cell = if cells.is_null(row) { "" } else { cells.value(row) };
                self.record.push_field(cell.as_bytes());
            }
            self.writer.write_byte_record(&self.record).map_err(cause)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Output, SinkError> {
        Ok(self.writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
    }
}

/// The error of the operating system, if it is the cause; otherwise a description of the error.
fn cause(error: csv::Error) -> SinkError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => format!("{other:?}").into(),
    }
}
