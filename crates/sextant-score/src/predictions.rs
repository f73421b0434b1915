//! Writes labelled rows beside what was predicted for them.

use crate::batch::{ADDED_COLUMNS, added_fields, prediction_columns};
use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, Field};
use sextant_core::{Example, Prediction};
use sextant_data::{DataError, Format, Output, Row, RowView, RowsWriter, used_by};
use std::sync::Arc;

/// The most rows of a batch.
const BATCH_ROWS: usize = 4096;

/// Writes examples with the columns that scoring appends. `further` are columns without a meaning, each with a text or
/// nothing for every example; those with a name of [`ADDED_COLUMNS`] are replaced.
///
/// # Errors
/// The output cannot be written to, or a text cannot be written in the format.
pub fn write_predictions(
    output: Output,
    format: Format,
    examples: &[Example],
    predictions: &[Prediction],
    further: &[(String, Vec<Option<String>>)],
) -> Result<(), DataError> {
    let used = used_by(examples);
    // Columns of behaviour are both among those of rows and among the others.
    let written =
        |name: &str| ADDED_COLUMNS.contains(&name) || Row::COLUMNS.contains(&name) && used(name);
    let further: Vec<_> = further.iter().filter(|(name, _)| !written(name)).collect();
    let fields = further.iter().map(|(name, _)| Field::new(name, DataType::Utf8, true));
    let fields = fields.chain(added_fields());
    let mut writer = RowsWriter::create(output, format, used_by(examples), fields)?;
    for start in (0..examples.len()).step_by(BATCH_ROWS) {
        let end = (start + BATCH_ROWS).min(examples.len());
        let rows: Vec<RowView<'_>> = examples[start..end].iter().map(RowView::from).collect();
        let texts = |(_, texts): &&(String, Vec<Option<String>>)| {
            let texts = texts[start..end].iter().map(Option::as_deref);
            Arc::new(texts.collect::<StringArray>()) as ArrayRef
        };
        let columns = further.iter().map(texts).chain(prediction_columns(&predictions[start..end]));
        writer.write(&rows, columns)?;
    }
    writer.finish()
}
