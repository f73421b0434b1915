//! Writes examples, as record batches.

use super::{BatchWriter, Output, unwritable};
use crate::layout::Layout;
use crate::row::json_number;
use crate::{DataError, Format, Row, RowError, RowUnit, entity, json_text};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use sextant_core::{Entity, Example};
use sextant_files::Existing;
use std::path::Path;
use std::sync::Arc;

/// The most rows of a batch.
const BATCH_ROWS: usize = 4096;

/// Writes examples to a file, in the format of its extension. A column is written if any example has a value
/// for it. `existing` says whether an existing file may be replaced.
///
/// # Errors
/// The errors of [`BatchWriter`], and a text that would be read back as a product, if the format has no
/// objects.
pub fn write_examples(
    path: impl AsRef<Path>,
    examples: &[Example],
    existing: Existing,
) -> Result<(), DataError> {
    let path = path.as_ref();
    write_to(Output::open(path, existing)?, Format::of(path)?, examples)
}

/// Writes examples to any destination, in the given format.
pub(crate) fn write_to(
    output: Output,
    format: Format,
    examples: &[Example],
) -> Result<(), DataError> {
    let any = |test: fn(&Example) -> bool| examples.iter().any(test);
    let used = |name: &str| match name {
        "id" => any(|example| example.id.is_some()),
        "group" => any(|example| example.group.is_some()),
        "weight" => any(|example| example.weight != 1.0),
        "source" => any(|example| example.source.is_some()),
        "origin" => any(|example| example.origin.is_some()),
        "split" => any(|example| example.split.is_some()),
        _ => true,
    };
    let names: Vec<_> = Row::COLUMNS.into_iter().filter(|name| used(name)).collect();
    let fields: Vec<_> = names.iter().map(|name| field(name, format)).collect();
    let schema = Arc::new(Schema::new(fields));
    let path = output.path().to_owned();
    let mut writer = BatchWriter::create(output, format, Some(&Layout::from(schema.clone())))?;
    for (i, batch) in examples.chunks(BATCH_ROWS).enumerate() {
        for (j, example) in batch.iter().enumerate() {
            if let Some((column, problem)) = unwritable(&example.pair, format) {
                let (path, column) = (path.clone(), Some(column.to_owned()));
                let row = (i * BATCH_ROWS + j + 1) as u64;
                let error = RowError { path, unit: RowUnit::Row, row, column, problem };
                return Err(Box::new(error).into());
            }
        }
        let columns = names.iter().map(|name| column(name, batch, format)).collect();
        let batch = RecordBatch::try_new(schema.clone(), columns);
        writer.write(&batch.map_err(|error| DataError::write(&path, error))?)?;
    }
    writer.finish()
}

fn field(name: &str, format: Format) -> Field {
    match name {
        "grade" => Field::new(name, DataType::Int64, true),
        "weight" => Field::new(name, DataType::Float64, true),
        "left" | "right" if format == Format::Jsonl => json_text::field(name),
        _ => Field::new(name, DataType::Utf8, true),
    }
}

fn column(name: &str, examples: &[Example], format: Format) -> ArrayRef {
    let texts = |value: fn(&Example) -> Option<&str>| -> ArrayRef {
        Arc::new(examples.iter().map(value).collect::<StringArray>())
    };
    let sides = |side: fn(&Example) -> &Entity| -> ArrayRef {
        let cells = examples.iter().map(|example| match side(example) {
            // A table holds plain texts as they are. Products are JSON in every format.
            Entity::Text(text) if format != Format::Jsonl => Some(text.clone()),
            entity => Some(entity::to_json(entity).to_string()),
        });
        Arc::new(cells.collect::<StringArray>())
    };
    match name {
        "id" => texts(|example| example.id.as_deref()),
        "task" => texts(|example| Some(example.pair.task.as_str())),
        "left" => sides(|example| &example.pair.left),
        "right" => sides(|example| &example.pair.right),
        "grade" => {
            let grades = examples.iter().map(|example| example.grade.index() as i64);
            Arc::new(grades.collect::<Int64Array>())
        }
        "weight" => {
            let weights = examples.iter().map(|example| json_number(example.weight).as_f64());
            Arc::new(weights.collect::<Float64Array>())
        }
        "group" => texts(|example| example.group.as_deref()),
        "source" => texts(|example| example.source.as_deref()),
        "origin" => texts(|example| example.origin.map(sextant_core::LabelOrigin::as_str)),
        "split" => texts(|example| example.split.map(sextant_core::Split::as_str)),
        other => unreachable!("`{other}` is no column of an example"),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use sextant_core::{Grade, Task};
    use sextant_files::AtomicFile;

    #[test]
    fn full_disk_leaves_no_file_and_names_the_path() {
        for format in Format::ALL {
            // With few rows, writing fails when the buffer is flushed at the end; with many, before the end.
            for rows in [1, 20_000] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join(format!("out.{}", format.extension()));
                let example = Example::new(Task::QueryQuery, "a", "b", Grade::Partial);
                // Every write to `/dev/full` fails as on a device without space.
                let file = AtomicFile::create_on_full_disk(&path).unwrap();
                let written = write_to(file.into(), format, &vec![example; rows]);
                let error = written.unwrap_err().to_string();
                assert!(error.contains(&*path.to_string_lossy()), "{error}");
                assert!(error.contains("No space left on device"), "{error}");
                assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{format:?} {rows}");
            }
        }
    }
}
