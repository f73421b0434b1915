//! `[teacher]` of a recipe.

use super::layers::LayersRecipe;
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_model::{Distillation, DistillationKind};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[teacher]`: whose probabilities are learned besides the grades of the rows, or in place of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeacherRecipe {
    /// Bundles, runs, ensembles, cascades, or files of rows with `probs`, as `sextant judge` and `sextant score`
    /// write them. Of several, the mean of those is taken that answer a row.
    pub sources: Vec<PathBuf>,
    /// The weight of each source in the mean; all alike unless stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// The share of a row's loss that is the teacher's; the rest is that of its grade. Rows that the teacher does
    /// not answer learn from their grades alone.
    #[serde(default = "half")]
    pub share: f32,
    /// Other shares for some tasks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub task_shares: BTreeMap<Task, f32>,
    /// How far from the teacher an answer is: `kl` or `mse`.
    #[serde(default)]
    pub loss: DistillationKind,
    /// The temperature of `kl`.
    #[serde(default = "two")]
    pub temperature: f32,
    /// A file or data set of further pairs, with or without grades, for which only the teacher's answers count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlabelled: Option<PathBuf>,
    /// What to learn of the layers of a teacher besides its answers; nothing unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<LayersRecipe>,
    /// Where the answers of models are kept, by hash, for other runs; in the user's cache unless stated. This
    /// does not change the results of a run, so it is left out wherever a recipe is written.
    #[serde(default, skip_serializing)]
    pub cache: Option<PathBuf>,
}

fn half() -> f32 {
    0.5
}

fn two() -> f32 {
    2.0
}

impl TeacherRecipe {
    /// The loss and its options.
    pub fn distillation(&self) -> Distillation {
        Distillation { kind: self.loss, temperature: self.temperature }
    }

    /// The share of the loss of a task's rows that is the teacher's.
    pub fn share(&self, task: Task) -> f32 {
        self.task_shares.get(&task).copied().unwrap_or(self.share)
    }

    /// The mistakes in it, each with its key.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.sources.is_empty() {
            mistakes.push("teacher.sources = []: must name at least one teacher".to_owned());
        }
        let sources = self.sources.len();
        let usable = |weight: &f64| weight.is_finite() && *weight > 0.0;
        if !self.weights.is_empty()
            && (self.weights.len() != sources || !self.weights.iter().all(usable))
        {
            mistakes.push(format!(
                "teacher.weights = {:?}: must be {sources} positive numbers, one for each source",
                self.weights
            ));
        }
        let shares =
            self.task_shares.iter().map(|(task, share)| (format!("task_shares.{task}"), share));
        for (key, share) in shares.chain([("share".to_owned(), &self.share)]) {
            if !(0.0..=1.0).contains(share) {
                mistakes.push(format!("teacher.{key} = {share}: must be in [0, 1]"));
            }
        }
        if let Err(error) = self.distillation().validate() {
            mistakes.push(format!("teacher: {error}"));
        }
        mistakes
    }
}
