//! Training rows whose grades, if they have any, do not count.

use crate::rows::RowsBuilder;
use crate::source::SourceRow;
use crate::{Plan, TrainError};
use sextant_core::{Grade, Pair, Split};
use sextant_data::{DataFiles, Labels, ReadOptions, RowOrigin, RowReader};
use std::borrow::Cow;
use std::path::Path;

/// Adds the pairs of the plan's tasks at `path` to the training rows, and returns them.
pub(crate) fn add_ungraded(
    plan: &Plan,
    path: &Path,
    train: &mut RowsBuilder<'_>,
) -> Result<Vec<Pair>, TrainError> {
    let options = ReadOptions { labels: Labels::Optional, ..plan.recipe.data.read_options() };
    let mut pairs = Vec::new();
    for (_, path) in DataFiles::find(path)?.parts {
        let reader = RowReader::open(&path, &options)?;
        let file = train.add_file(format!("{} {}", path.display(), reader.unit()));
        for row in reader {
            let row = row?;
            if !plan.spec.tasks.contains(&row.pair.task) {
                continue;
            }
            pairs.push(row.pair.clone());
            let origin = RowOrigin::new(file, row.line);
            let example = Cow::Owned(row.with_grade(Grade::Irrelevant));
            train.push(SourceRow { split: Split::Train, origin, example })?;
        }
    }
    Ok(pairs)
}
