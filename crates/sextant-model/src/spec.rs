//! Everything that decides a model's shape.

use crate::{BackboneConfig, Heads, ModelError, Pooling, Routing};
use serde::{Deserialize, Serialize};
use sextant_core::{Grade, Task};

/// What a head says about a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// A logit for each grade; probabilities by softmax.
    #[default]
    Softmax,
    /// A logit for each step of the scale, P(grade ≥ 1) and P(grade ≥ 2), which share one direction
    /// and differ by an offset that keeps them in order (the proportional-odds model, McCullagh
    /// 1980, as CORAL heads use it, Cao, Mirjalili & Raschka 2020).
    Cumulative,
}

impl HeadKind {
    /// Width of a head's output.
    pub const fn outputs(self) -> usize {
        match self {
            Self::Softmax => Grade::COUNT,
            Self::Cumulative => Grade::COUNT - 1,
        }
    }
}

/// The shape of a relevance model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The backbone's sizes.
    pub backbone: BackboneConfig,
    /// The tasks that it is trained for, in the order of [`Task::ALL`], each once.
    pub tasks: Vec<Task>,
    /// How it learns the task of a row.
    pub routing: Routing,
    /// Which vector of a row its head reads.
    pub pooling: Pooling,
    /// Whether a tanh layer (BERT's pooler) stands between pooling and head.
    pub dense: bool,
    /// What the heads say.
    pub head: HeadKind,
    /// Probability with which an entry of the head's input is dropped in training.
    pub head_dropout: f32,
}

impl ModelSpec {
    /// Checks that everything fits together.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.backbone.validate()?;
        self.routing.validate(self.backbone.layers)?;
        if self.backbone.block.causal && self.pooling == Pooling::Cls {
            return Err(ModelError::Config(
                "`pooling = \"cls\"` reads the first token, which in a decoder has seen no other; use `pooling = \"last\"`".into(),
            ));
        }
        if self.tasks.is_empty() {
            return Err(ModelError::Config("`tasks` is empty; name at least one".into()));
        }
        if !self.tasks.is_sorted_by(|a, b| a.index() < b.index()) {
            return Err(ModelError::Config(format!(
                "`tasks` must be in the order {}, each once",
                Task::ALL.map(Task::as_str).join(", ")
            )));
        }
        if !(0.0..1.0).contains(&self.head_dropout) {
            return Err(ModelError::Config(format!(
                "`head_dropout` {} is not in [0, 1)",
                self.head_dropout
            )));
        }
        Ok(())
    }

    /// The branch that rows of this task take, if the model has the task.
    pub fn branch_of(&self, task: Task) -> Option<usize> {
        let position = self.tasks.iter().position(|&known| known == task)?;
        Some(match self.routing.heads {
            Heads::Shared => 0,
            Heads::PerTask => position,
        })
    }

    /// The branches' names in parameter paths: `shared`, or the tasks'.
    pub fn branch_names(&self) -> Vec<&'static str> {
        match self.routing.heads {
            Heads::Shared => vec!["shared"],
            Heads::PerTask => self.tasks.iter().map(|task| task.as_str()).collect(),
        }
    }

    /// Depth of the path that a row takes: trunk and private blocks.
    pub fn depth(&self) -> usize {
        self.routing.trunk_layers(self.backbone.layers) + self.routing.private_layers
    }

    /// The error about a task that the model does not have.
    pub fn unknown_task(&self, task: Task) -> ModelError {
        let known: Vec<&str> = self.tasks.iter().map(|task| task.as_str()).collect();
        ModelError::UnknownTask { task, known: known.join(", ") }
    }
}
