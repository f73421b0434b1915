//! Further pairs to learn from, whose grades, if they have any, do not count.

use crate::rows::RowsBuilder;
use crate::source::SourceRow;
use crate::{ExampleSource, Plan, TrainError};
use sextant_core::{Grade, Pair, Split};
use sextant_data::{DataFiles, Labels, PairKey, ReadOptions, Row, RowOrigin, RowReader};
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

/// Adds the pairs of the plan's tasks at `path` to the training rows, and returns them.
pub(crate) fn add_ungraded(
    plan: &Plan,
    path: &Path,
    held_out: &HashSet<PairKey>,
    train: &mut RowsBuilder<'_>,
) -> Result<Vec<Pair>, TrainError> {
    let mut pairs = Vec::new();
    let mut files: Vec<(String, usize)> = Vec::new();
    visit_ungraded(plan, path, held_out, |name, row| {
        let known = files.last().filter(|(known, _)| known == name).map(|(_, file)| *file);
        let file = known.unwrap_or_else(|| {
            let file = train.add_file(name.to_owned());
            files.push((name.to_owned(), file));
            file
        });
        pairs.push(row.pair.clone());
        let origin = RowOrigin::new(file, row.line);
        let example = Cow::Owned(row.with_grade(Grade::Irrelevant));
        train.push(SourceRow { split: Split::Train, origin, example })
    })?;
    Ok(pairs)
}

/// Calls `each` with the rows of the plan's tasks at `path`, and with the name of their file and the unit of its rows.
/// Pairs that are `held_out` are left out, and counted in a warning: a model that has trained on them would be judged by
/// what it knows.
pub(crate) fn visit_ungraded(
    plan: &Plan,
    path: &Path,
    held_out: &HashSet<PairKey>,
    mut each: impl FnMut(&str, Row) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let options = ReadOptions { labels: Labels::Optional, ..plan.recipe.data.read_options() };
    let mut left_out = 0;
    for (_, file) in DataFiles::find(path)?.parts {
        let reader = RowReader::open(&file, &options)?;
        let name = format!("{} {}", file.display(), reader.unit());
        for row in reader {
            let row = row?;
            if !plan.spec.tasks.contains(&row.pair.task) {
                continue;
            }
            if held_out.contains(&PairKey::of(&row.pair)) {
                left_out += 1;
                continue;
            }
            each(&name, row)?;
        }
    }
    if left_out > 0 {
        tracing::warn!(
            "{}: {left_out} of its pairs are dev or test rows of the data set, and are left out",
            path.display()
        );
    }
    Ok(())
}
