//! Training rows whose grades, if they have any, do not count.

use crate::rows::RowsBuilder;
use crate::source::SourceRow;
use crate::{ExampleSource, Plan, TrainError};
use sextant_core::{Grade, Pair, Split};
use sextant_data::{DataFiles, Labels, PairKey, ReadOptions, RowOrigin, RowReader};
use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

/// The pairs by which a run's data judges models: those of its dev and test rows.
pub(crate) fn held_out(
    plan: &Plan,
    source: &dyn ExampleSource,
) -> Result<HashSet<PairKey>, TrainError> {
    let mut pairs = HashSet::new();
    source.visit(&[Split::Dev, Split::Test], &mut |row| {
        if plan.spec.tasks.contains(&row.example.pair.task) {
            pairs.insert(PairKey::of(&row.example.pair));
        }
        Ok(())
    })?;
    Ok(pairs)
}

/// Adds the pairs of the plan's tasks at `path` to the training rows, and returns them. Those that are `held_out` are
/// left out, since a model that has trained on them would be judged by what it knows.
pub(crate) fn add_ungraded(
    plan: &Plan,
    path: &Path,
    held_out: &HashSet<PairKey>,
    train: &mut RowsBuilder<'_>,
) -> Result<Vec<Pair>, TrainError> {
    let options = ReadOptions { labels: Labels::Optional, ..plan.recipe.data.read_options() };
    let (mut pairs, mut left_out) = (Vec::new(), 0);
    let folder = path;
    for (_, path) in DataFiles::find(path)?.parts {
        let reader = RowReader::open(&path, &options)?;
        let file = train.add_file(format!("{} {}", path.display(), reader.unit()));
        for row in reader {
            let row = row?;
            if !plan.spec.tasks.contains(&row.pair.task) {
                continue;
            }
            if held_out.contains(&PairKey::of(&row.pair)) {
                left_out += 1;
                continue;
            }
            pairs.push(row.pair.clone());
            let origin = RowOrigin::new(file, row.line);
            let example = Cow::Owned(row.with_grade(Grade::Irrelevant));
            train.push(SourceRow { split: Split::Train, origin, example })?;
        }
    }
    if left_out > 0 {
        tracing::warn!(
            "{}: {left_out} of its pairs are dev or test rows of the data set, and are left out",
            folder.display()
        );
    }
    Ok(pairs)
}
