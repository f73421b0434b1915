//! Whether the scores that a model gives are still like those that it gave to its dev rows.

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

/// The scores of a model's tasks, on its dev rows and in requests.
#[derive(Debug)]
pub(crate) struct Drift {
    tasks: Vec<(Task, ScoreHistogram, Mutex<ScoreHistogram>)>,
}

/// How far the scores of a task are from those of the dev rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drifted {
    pub(crate) task: Task,
    /// The population stability index.
    pub(crate) index: f64,
    /// Whether that is a large change.
    pub(crate) alarm: bool,
}

impl Drift {
    /// What a bundle's provenance says of its dev scores; nothing if it says nothing, as bundles of older versions
    /// do, or something else.
    pub(crate) fn of(provenance: &serde_json::Value) -> Self {
        let scores = provenance.get("dev").and_then(|dev| dev.get("scores")).cloned();
        let scores = scores.and_then(|scores| serde_json::from_value(scores).ok());
        let scores: BTreeMap<String, ScoreHistogram> = scores.unwrap_or_default();
        let tasks = scores.into_iter().filter_map(|(task, reference)| {
            Some((task.parse().ok()?, reference, Mutex::default()))
        });
        Self { tasks: tasks.collect() }
    }

    /// Adds a score that was answered.
    pub(crate) fn add(&self, task: Task, score: f32) {
        if let Some((.., seen)) = self.tasks.iter().find(|(known, ..)| *known == task) {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.add(score);
            if seen.total() >= WINDOW {
                seen.halve();
            }
        }
    }

    /// The tasks with enough scores to say something.
    pub(crate) fn drifted(&self) -> Vec<Drifted> {
        let tasks = self.tasks.iter().filter_map(|(task, reference, seen)| {
            let seen = *seen.lock().unwrap_or_else(PoisonError::into_inner);
            let index = seen.stability_index(reference).filter(|_| seen.total() >= LEAST)?;
            Some(Drifted { task: *task, index, alarm: index > LARGE })
        });
        tasks.collect()
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
        let drift = Drift::of(&provenance);
        let add = |count: u64, score: f32| {
            (0..count).for_each(|_| drift.add(Task::QueryType, score));
        };
        add(240, 0.02);
        add(240, 0.98);
        drift.add(Task::QueryProduct, 0.5);
        assert_eq!(drift.drifted(), []);
        add(20, 0.02);
        let [Drifted { task, index, alarm }] = drift.drifted()[..] else { panic!() };
        assert_eq!((task, alarm), (Task::QueryType, false));
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
    fn bundles_that_say_nothing_of_their_scores_are_not_watched() {
        for provenance in
            [json!(null), json!({"dev": 1}), json!({"dev": {"scores": {"query-type": [1]}}})]
        {
            let drift = Drift::of(&provenance);
            drift.add(Task::QueryType, 0.5);
            assert_eq!(drift.drifted(), []);
        }
    }
}
