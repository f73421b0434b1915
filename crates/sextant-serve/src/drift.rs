//! Whether the scores that a model gives are still like those that it gave before: to its dev rows, or where nothing is
//! known of these, as of ensembles, to the first pairs that it was asked for.

use sextant_core::Task;
use sextant_eval::ScoreHistogram;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Scores of a task after which all counts are halved, so that what is long past counts little.
const WINDOW: u64 = 20_000;
/// Fewer scores than these show nothing.
const LEAST: u64 = 500;
/// A stability index above this is a large change.
const LARGE: f64 = 0.25;

/// The first scores of a task, where they are what later ones are compared with.
const FIRST: u64 = 2_000;

/// The scores of a model's tasks, before and in requests.
#[derive(Debug)]
pub(crate) struct Drift {
    tasks: Vec<(Task, Mutex<Scores>)>,
}

/// The scores of a task.
#[derive(Debug, Default)]
struct Scores {
    /// Those of the dev rows, if they are known.
    dev: Option<ScoreHistogram>,
    /// The first ones, if those of the dev rows are not known.
    first: ScoreHistogram,
    seen: ScoreHistogram,
}

/// What scores are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// Those of the dev rows, which training saved in the bundle.
    Dev,
    /// The first ones since the model was opened.
    First,
}

impl Reference {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::First => "first",
        }
    }
}

/// How far the scores of a task are from the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drifted {
    pub(crate) task: Task,
    /// The population stability index.
    pub(crate) index: f64,
    /// Whether that is a large change.
    pub(crate) alarm: bool,
    /// What they are compared with.
    pub(crate) reference: Reference,
}

impl Drift {
    /// Of tasks, some of whose dev scores a bundle's provenance may have; it has none if it is of an older version,
    /// imported, or not of a bundle.
    pub(crate) fn of(tasks: &[Task], provenance: &serde_json::Value) -> Self {
        let scores = provenance.get("dev").and_then(|dev| dev.get("scores")).cloned();
        let scores = scores.and_then(|scores| serde_json::from_value(scores).ok());
        let scores: BTreeMap<String, ScoreHistogram> = scores.unwrap_or_default();
        let tasks = tasks.iter().map(|task| {
            let dev = scores.get(task.as_str()).copied().filter(|dev| dev.total() > 0);
            (*task, Mutex::new(Scores { dev, ..Scores::default() }))
        });
        Self { tasks: tasks.collect() }
    }

    /// Adds a score that was answered.
    pub(crate) fn add(&self, task: Task, score: f32) {
        if let Some((_, scores)) = self.tasks.iter().find(|(known, _)| *known == task) {
            scores.lock().unwrap_or_else(PoisonError::into_inner).add(score);
        }
    }

    /// The tasks with enough scores to say something.
    pub(crate) fn drifted(&self) -> Vec<Drifted> {
        let tasks = self.tasks.iter().filter_map(|(task, scores)| {
            let scores = scores.lock().unwrap_or_else(PoisonError::into_inner);
            let (reference, before) = match &scores.dev {
                Some(dev) => (Reference::Dev, dev),
                None => (Reference::First, &scores.first),
            };
            let enough = scores.seen.total() >= LEAST;
            let index = scores.seen.stability_index(before).filter(|_| enough)?;
            Some(Drifted { task: *task, index, alarm: index > LARGE, reference })
        });
        tasks.collect()
    }
}

impl Scores {
    fn add(&mut self, score: f32) {
        if self.dev.is_none() && self.first.total() < FIRST {
            return self.first.add(score);
        }
        self.seen.add(score);
        if self.seen.total() >= WINDOW {
            self.seen.halve();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scores_unlike_those_of_the_dev_rows_raise_an_alarm() {
        let provenance = json!({"dev": {"scores": {
            "query-type": [100, 0, 0, 0, 0, 0, 0, 0, 0, 100],
            "type-type": [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]}}});
        let drift = Drift::of(&[Task::QueryType, Task::TypeType], &provenance);
        let add = |count: u64, score: f32| {
            (0..count).for_each(|_| drift.add(Task::QueryType, score));
        };
        add(240, 0.02);
        add(240, 0.98);
        drift.add(Task::QueryProduct, 0.5);
        assert_eq!(drift.drifted(), []);
        add(20, 0.02);
        let [Drifted { task, index, alarm, reference }] = drift.drifted()[..] else { panic!() };
        assert_eq!((task, alarm, reference), (Task::QueryType, false, Reference::Dev));
        assert!(index < 0.1, "{index}");
        add(2000, 0.98);
        assert!(drift.drifted()[0].alarm);
        // What is long past counts little.
        for _ in 0..20 {
            add(1000, 0.02);
            add(1000, 0.98);
        }
        assert!(!drift.drifted()[0].alarm);
    }

    #[test]
    fn without_dev_scores_the_first_ones_are_compared_with() {
        for provenance in
            [json!(null), json!({"dev": 1}), json!({"dev": {"scores": {"query-type": [1]}}})]
        {
            let drift = Drift::of(&[Task::QueryType], &provenance);
            let add =
                |count: u64, score| (0..count).for_each(|_| drift.add(Task::QueryType, score));
            add(FIRST + LEAST - 1, 0.5);
            assert_eq!(drift.drifted(), []);
            add(1, 0.5);
            let [Drifted { index, alarm, reference, .. }] = drift.drifted()[..] else { panic!() };
            assert_eq!((index, alarm, reference), (0.0, false, Reference::First));
            add(LEAST, 0.9);
            assert!(drift.drifted()[0].alarm);
        }
    }
}
