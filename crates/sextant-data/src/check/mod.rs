//! Checks whether a dataset is sound, and how hard it is.
//!
//! A dataset is *sound* if no pair and no group is in two splits. To pass the check it must also have a text
//! on both sides of every row. It is hard if the baselines, rules that understand no text, are far from
//! perfect on it.

mod baseline;
pub(crate) mod key;
mod leak;
mod render;
mod textless;

pub use baseline::{Baselines, OverlapMeasure};
pub use key::{PairKey, normalize};
pub use leak::{RepeatedPair, Repetitions, RowPlace, SharedGroup};
pub use textless::TextlessRow;

use crate::{Dataset, LoadedDataset, UnreadFile};
use serde::Serialize;
use sextant_core::{EntityKind, Example, Grade, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// The result of [`check()`]. [`CheckReport::is_ok`] says whether the dataset passed; `Display` renders the
/// whole report as text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// The tasks that have rows.
    pub tasks: Vec<TaskCheck>,
    /// The accuracy of the per-task majority grades over all test rows together.
    pub pooled_majority_accuracy: Option<f64>,
    /// The accuracy of the per-task overlap rules over all test rows together.
    pub pooled_overlap_accuracy: Option<f64>,
    /// Leaks, duplicates and contradictions.
    #[serde(flatten)]
    pub repetitions: Repetitions,
    /// Rows with a side whose text has only invisible characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub textless: Vec<TextlessRow>,
    /// Files and folders in the dataset's folder that were not read; set by [`CheckReport::with_unread`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadFile>,
}

/// The rows of one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskCheck {
    /// The task.
    pub task: Task,
    /// How many rows of each grade each split has.
    pub grades: BTreeMap<Split, [usize; Grade::COUNT]>,
    /// The accuracy of trivial rules; `None` if the train or the test split has no rows of the task.
    pub baselines: Option<Baselines>,
    /// The shares of test rows whose left and whose right entity also occurs in a training row of any task;
    /// `None` if the test split has no rows of the task. This is not an error, since product types recur by
    /// nature. But if both sides of a task are always known from training, its test rows say little about new
    /// entities.
    pub seen_in_train: Option<[f64; 2]>,
}

impl CheckReport {
    /// Adds the files that were not read to the report.
    #[must_use]
    pub fn with_unread(self, unread: Vec<UnreadFile>) -> Self {
        Self { unread, ..self }
    }

    /// Adds the file and line of each row that the report names. `loaded` is the dataset that was checked.
    #[must_use]
    pub fn with_origins(mut self, loaded: &LoadedDataset) -> Self {
        let textless = self.textless.iter_mut().map(|row| &mut row.place);
        for place in self.repetitions.places().chain(textless) {
            place.origin = Some(loaded.origin(place.split, place.row - 1));
        }
        self
    }

    /// Whether no pair and no group is in two splits, every row has a text on both sides, and no file that
    /// may be meant as a part of the dataset was left unread. Duplicates and contradictions inside a split
    /// are reported, but do not make an evaluation invalid.
    pub fn is_ok(&self) -> bool {
        self.is_sound()
            && self.textless.is_empty()
            && self.unread.iter().all(|file| file.suspect.is_none())
    }

    /// Whether no pair and no group is in two splits.
    pub fn is_sound(&self) -> bool {
        let Repetitions { pairs_across_splits, groups_across_splits, .. } = &self.repetitions;
        pairs_across_splits.is_empty() && groups_across_splits.is_empty()
    }
}

/// Checks a dataset.
pub fn check(dataset: &Dataset) -> CheckReport {
    let mut known: BTreeSet<(EntityKind, String)> = BTreeSet::new();
    for example in &dataset.train {
        known.extend(entities(example));
    }
    let tasks: Vec<_> =
        Task::ALL.into_iter().filter_map(|task| check_task(dataset, task, &known)).collect();
    let pooled = |accuracy: fn(&Baselines) -> f64| {
        let rows = |task: &TaskCheck| {
            let rows: usize = task.grades.get(&Split::Test)?.iter().sum();
            Some((accuracy(task.baselines.as_ref()?) * rows as f64, rows))
        };
        let (right, rows) = tasks
            .iter()
            .filter_map(rows)
            .fold((0.0, 0), |(right, all), (hits, rows)| (right + hits, all + rows));
        (rows > 0).then(|| right / rows as f64)
    };
    CheckReport {
        pooled_majority_accuracy: pooled(|baselines| baselines.majority_accuracy),
        pooled_overlap_accuracy: pooled(|baselines| baselines.overlap_accuracy),
        tasks,
        repetitions: Repetitions::of(dataset),
        textless: TextlessRow::of(dataset),
        unread: Vec::new(),
    }
}

fn check_task(
    dataset: &Dataset,
    task: Task,
    known: &BTreeSet<(EntityKind, String)>,
) -> Option<TaskCheck> {
    let rows = |split| {
        let rows = dataset.part(split).iter();
        rows.filter(|example| example.pair.task == task).collect::<Vec<_>>()
    };
    let mut grades = BTreeMap::new();
    for split in Split::ALL {
        for example in rows(split) {
            let counts: &mut [usize; Grade::COUNT] = grades.entry(split).or_default();
            counts[example.grade.index()] += 1;
        }
    }
    let test = rows(Split::Test);
    let seen = |side: usize| {
        let seen = |example: &&&Example| known.contains(&entities(example)[side]);
        test.iter().filter(seen).count() as f64 / test.len() as f64
    };
    (!grades.is_empty()).then(|| TaskCheck {
        task,
        grades,
        baselines: Baselines::fit(&rows(Split::Train), &test),
        seen_in_train: (!test.is_empty()).then(|| [seen(0), seen(1)]),
    })
}

fn entities(example: &Example) -> [(EntityKind, String); 2] {
    let (left, right) = example.pair.task.kinds();
    [(left, key::entity_key(&example.pair.left)), (right, key::entity_key(&example.pair.right))]
}
