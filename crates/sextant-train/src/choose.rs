//! Chooses the training rows and the dev rows of a run.

use crate::source::Visit;
use crate::{ExampleSource, Recipe, SourceRow, TrainError};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sextant_core::{Example, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// The rows of a source that a run uses.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Positions among the training rows, ascending.
    pub(crate) train: Vec<usize>,
    /// Positions among the dev rows, ascending.
    pub(crate) dev: Vec<usize>,
    /// How many training rows and dev rows the source has.
    rows: [usize; 2],
    /// The data set's name, for messages.
    name: String,
}

impl Choice {
    /// Reads the task of every row of a source and chooses the rows of a run. Each of `tasks` must have
    /// training rows and dev rows.
    pub(crate) fn new(
        source: &dyn ExampleSource,
        recipe: &Recipe,
        tasks: &[Task],
    ) -> Result<Self, TrainError> {
        let (mut train, mut dev) = (Vec::new(), Vec::new());
        let mut absent = recipe.data.leave_out.clone();
        // Test rows are visited although training does not use them, so that a data set with any row that
        // cannot be read is refused.
        source.visit(&Split::ALL, &mut |SourceRow { split, example, .. }| {
            if let Some(source) = &example.source {
                absent.remove(source);
            }
            match split {
                Split::Train => train.push(recipe.data.candidate(&example)),
                Split::Dev => dev.push(recipe.data.candidate(&example)),
                Split::Test => {}
            }
            Ok(())
        })?;
        let choice = Self {
            train: train_positions(&train, recipe, tasks),
            dev: dev_positions(&dev, recipe, tasks),
            rows: [train.len(), dev.len()],
            name: recipe.data.path.display().to_string(),
        };
        let mut mistakes: Vec<String> = absent
            .iter()
            .map(|source| format!("data.leave_out: no row has the source `{source}`"))
            .collect();
        for (part, rows, of) in [("train", &choice.train, &train), ("dev", &choice.dev, &dev)] {
            for task in tasks {
                if !rows.iter().any(|&row| of[row] == Some(*task)) {
                    mistakes.push(format!(
                        "data.path = {}: no {part} rows of task `{task}`; add some, or leave it out of `tasks`",
                        choice.name
                    ));
                }
            }
        }
        if mistakes.is_empty() { Ok(choice) } else { Err(TrainError::Plan(mistakes)) }
    }

    /// Calls `visit` with the chosen rows of `splits`, which are train, dev or both.
    pub(crate) fn visit(
        &self,
        source: &dyn ExampleSource,
        splits: &[Split],
        visit: &mut Visit<'_>,
    ) -> Result<(), TrainError> {
        let mut seen = [0, 0];
        let mut open = [self.train.as_slice(), &self.dev];
        source.visit(splits, &mut |row| {
            let part = usize::from(row.split == Split::Dev);
            let position = seen[part];
            seen[part] += 1;
            match open[part] {
                [next, rest @ ..] if *next == position => {
                    open[part] = rest;
                    visit(row)
                }
                _ => Ok(()),
            }
        })?;
        let changed = [Split::Train, Split::Dev]
            .into_iter()
            .zip(seen.into_iter().zip(self.rows))
            .any(|(split, (seen, before))| splits.contains(&split) && seen != before);
        if changed {
            return Err(TrainError::Plan(vec![format!(
                "data.path = {}: changed while it was read; start again when it is whole",
                self.name
            )]));
        }
        Ok(())
    }
}

/// The positions of the training rows of `tasks` that a recipe asks for. `rows` holds the [`candidate`] of every
/// training row.
///
/// [`candidate`]: crate::DataRecipe::candidate
pub fn train_positions(rows: &[Option<Task>], recipe: &Recipe, tasks: &[Task]) -> Vec<usize> {
    let data = &recipe.data;
    take(rows, tasks, data.train_rows, &data.task_shares, recipe.seed)
}

/// The positions of the dev rows of `tasks` that a recipe asks for. They are the same for every seed, so
/// that runs are compared on the same rows.
pub fn dev_positions(rows: &[Option<Task>], recipe: &Recipe, tasks: &[Task]) -> Vec<usize> {
    take(rows, tasks, recipe.data.dev_rows, &BTreeMap::new(), 0)
}

/// The task of each example that a recipe does not leave out.
pub fn candidates(examples: &[Example], recipe: &Recipe) -> Vec<Option<Task>> {
    examples.iter().map(|example| recipe.data.candidate(example)).collect()
}

/// The positions of the rows of `tasks`, ascending; `of` holds the task of every row that may be chosen. If there are more than
/// `limit` rows of all tasks together, `limit` of them are drawn at random first, and only then are tasks
/// selected: a single-task model trains on exactly the rows of its task that a multi-task model of the same
/// seed gets.
///
/// Of a task in `shares`, only that share of its rows is kept, but at least one row. Which of them are kept
/// depends only on the seed and the task.
fn take(
    of: &[Option<Task>],
    tasks: &[Task],
    limit: Option<usize>,
    shares: &BTreeMap<Task, f64>,
    seed: u64,
) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..of.len()).filter(|&row| of[row].is_some()).collect();
    if let Some(limit) = limit.filter(|&limit| limit < rows.len()) {
        rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        rows.truncate(limit);
        rows.sort_unstable();
    }
    for (&task, &share) in shares {
        let mut of_task: Vec<usize> =
            rows.iter().copied().filter(|&row| of[row] == Some(task)).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1 + task.index() as u64);
        let keep = ((of_task.len() as f64 * share).ceil() as usize).min(of_task.len());
        of_task.shuffle(&mut rng);
        let dropped: BTreeSet<usize> = of_task.split_off(keep).into_iter().collect();
        rows.retain(|row| !dropped.contains(row));
    }
    rows.retain(|&row| of[row].is_some_and(|task| tasks.contains(&task)));
    rows
}
