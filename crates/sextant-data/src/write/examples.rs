//! Writes examples, as record batches.

use super::{Output, RowView, RowsWriter};
use crate::{DataError, Format};
use sextant_core::{Behaviour, Event, Example};
use sextant_files::Existing;
use std::path::Path;

/// The most rows of a batch.
const BATCH_ROWS: usize = 4096;

/// Writes examples to a file, in the format of its extension. A column is written if any example has a value
/// for it. `existing` says whether an existing file may be replaced.
///
/// # Errors
/// The errors of [`BatchWriter`](super::BatchWriter), and a text that would be read back as a product, if the format has no
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
    let mut writer = RowsWriter::create(output, format, used_by(examples), [])?;
    for batch in examples.chunks(BATCH_ROWS) {
        let rows: Vec<RowView<'_>> = batch.iter().map(RowView::from).collect();
        writer.write(&rows, [])?;
    }
    writer.finish()
}

/// Says of each of [`Row::COLUMNS`](crate::Row::COLUMNS) whether any example has a value for it.
pub fn used_by(examples: &[Example]) -> impl Fn(&str) -> bool {
    move |name| {
        let any = |test: fn(&Example) -> bool| examples.iter().any(test);
        let any_behaviour = |test: &dyn Fn(&Behaviour) -> bool| {
            examples.iter().filter_map(|example| example.behaviour.as_deref()).any(test)
        };
        match name {
            "id" => any(|example| example.id.is_some()),
            "group" => any(|example| example.group.is_some()),
            "weight" => any(|example| example.weight != 1.0),
            "source" => any(|example| example.source.is_some()),
            "origin" => any(|example| example.origin.is_some()),
            "split" => any(|example| example.split.is_some()),
            "impressions" => any(|example| example.behaviour.is_some()),
            "propensity" => any_behaviour(&|behaviour| behaviour.propensity().is_some()),
            _ => name
                .parse::<Event>()
                .map_or(true, |event| any_behaviour(&|behaviour| behaviour.count(event).is_some())),
        }
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
