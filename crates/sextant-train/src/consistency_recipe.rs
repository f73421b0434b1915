//! `[consistency]` of a recipe.

use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_eval::TripleKind;
use std::path::PathBuf;

/// `[consistency]`: a penalty on answers about related pairs that contradict each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyRecipe {
    /// The weight of a step's mean penalty beside the mean loss of its rows.
    pub weight: f64,
    /// Triangles in each step; they are drawn anew for each step, at random.
    #[serde(default = "eight")]
    pub triangles: usize,
    /// A file or data set of pairs, with or without grades, that triangles are made of; the run's training
    /// rows unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlabelled: Option<PathBuf>,
    /// The kinds of triangles: `query-product-type` and `query-query-product`; those of whose pairs the model
    /// has the tasks unless stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<TripleKind>,
    /// The most triangles of each kind that are kept, drawn evenly where there are more.
    #[serde(default = "many")]
    pub limit: usize,
}

fn eight() -> usize {
    8
}

fn many() -> usize {
    20_000
}

impl ConsistencyRecipe {
    /// The kinds of triangles that a model of these tasks learns from.
    pub fn kinds(&self, tasks: &[Task]) -> Vec<TripleKind> {
        let stated = |kind: &TripleKind| self.kinds.is_empty() || self.kinds.contains(kind);
        let known = |kind: &TripleKind| kind.tasks().iter().all(|task| tasks.contains(task));
        TripleKind::ALL.into_iter().filter(stated).filter(known).collect()
    }

    /// The mistakes in it, each with its key.
    pub(crate) fn mistakes(&self, tasks: &[Task]) -> Vec<String> {
        let mut mistakes = Vec::new();
        if !(self.weight.is_finite() && self.weight > 0.0) {
            mistakes.push(format!(
                "consistency.weight = {}: must be positive; without a penalty, leave [consistency] out",
                self.weight
            ));
        }
        for (key, value) in [("triangles", self.triangles), ("limit", self.limit)] {
            if !(1..=1 << 20).contains(&value) {
                mistakes.push(format!("consistency.{key} = {value}: must be in 1 to {}", 1 << 20));
            }
        }
        let kinds = self.kinds(tasks);
        let lacking = self.kinds.iter().find(|kind| !kinds.contains(kind));
        if kinds.is_empty() || lacking.is_some() {
            let of = lacking.copied().unwrap_or(TripleKind::QueryProductType);
            let mut needed = of.tasks().to_vec();
            needed.dedup();
            let needed: Vec<_> = needed.into_iter().map(Task::as_str).collect();
            mistakes.push(format!(
                "consistency: triangles need the tasks {}, of which `tasks` lacks some; add them, or leave [consistency] out",
                needed.join(", ")
            ));
        }
        mistakes
    }
}
