//! JSONL output: one object per row, without keys for which the row has no value.

use super::render::json_options;
use super::{Output, Sink, SinkError};
use arrow_array::RecordBatch;
use arrow_json::EncoderOptions;
use arrow_json::writer::make_encoder;
use std::io::Write;

/// Rows are written to the output when their buffer has more bytes than this.
const BUFFER: usize = 1 << 16;

pub(super) struct JsonlSink {
    output: Output,
    options: EncoderOptions,
}

impl JsonlSink {
    pub(super) fn new(output: Output) -> Self {
        Self { output, options: json_options() }
    }
}

impl Sink for JsonlSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
            let key = format!("{}:", serde_json::Value::from(field.name().as_str()));
            Ok((key, make_encoder(field, array, &self.options)?))
        });
        let mut columns = columns.collect::<Result<Vec<_>, SinkError>>()?;
        let mut buffer = Vec::with_capacity(2 * BUFFER);
        for row in 0..batch.num_rows() {
            buffer.push(b'{');
            let mut first = true;
            for (key, encoder) in &mut columns {
                if encoder.is_null(row) {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    buffer.push(b',');
                }
                buffer.extend_from_slice(key.as_bytes());
                encoder.encode(row, &mut buffer);
            }
            buffer.extend_from_slice(b"}\n");
            if buffer.len() > BUFFER {
                self.output.write_all(&buffer)?;
                buffer.clear();
            }
        }
        Ok(self.output.write_all(&buffer)?)
    }

    fn finish(self: Box<Self>) -> Result<Output, SinkError> {
        Ok(self.output)
    }
}
