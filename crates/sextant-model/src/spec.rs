//! The specification of a model: everything that decides its shape.

use crate::block_config::PROJECTIONS;
use crate::families::Format;
use crate::{
    BackboneConfig, Heads, LoraConfig, ModelError, Pooling, Private, PrivateInit, Routing,
};
use serde::{Deserialize, Serialize};
use sextant_core::{Grade, Task};
use std::collections::BTreeSet;

/// The kind of a head: what its logits mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// A logit for each grade; probabilities by softmax.
    #[default]
    Softmax,
    /// A logit for each step of the scale, of P(grade ≥ 1) and P(grade ≥ 2). Both logits use the same
    /// weights and differ by an offset that keeps them in order (the proportional-odds model, McCullagh
    /// 1980, as CORAL heads use it, Cao, Mirjalili & Raschka 2020).
    Cumulative,
}

impl HeadKind {
    /// The number of logits of a head.
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
    /// The tasks that the model is trained for, in the order of [`Task::ALL`], each once.
    pub tasks: Vec<Task>,
    /// How the model learns the task of a row.
    pub routing: Routing,
    /// Which vector of a row the head reads.
    pub pooling: Pooling,
    /// Whether a dense layer, such as BERT's pooler, stands between pooling and head.
    pub dense: bool,
    /// The kind of the heads.
    pub head: HeadKind,
    /// Probability with which an entry of the head's input is dropped in training.
    pub head_dropout: f32,
    /// How the backbone is frozen and adapted; `None` if it is trained whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
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
        match &self.lora {
            Some(lora) => {
                lora.validate()?;
                self.check_targets(lora)?;
            }
            None if self.routing.private == Private::Adapter => {
                return Err(ModelError::Config(
                    "`private = \"adapter\"` needs LoRA: add `lora`, or use `private = \"full\"`"
                        .into(),
                ));
            }
            None => {}
        }
        if self.routing.private == Private::Adapter
            && self.routing.private_init == PrivateInit::Fresh
        {
            return Err(ModelError::Config(
                "`private = \"adapter\"` adapts the backbone's own top blocks; leave `private_init` at \"copy\"".into(),
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

    /// A lower bound on how many numbers the model has: [`BackboneConfig::least_numbers`], and those of
    /// private blocks and adapters.
    pub(crate) fn least_numbers(&self) -> u128 {
        let (backbone, routing) = (&self.backbone, &self.routing);
        let wide = |size: usize| size as u128;
        let whole = backbone.least_numbers();
        let adapters = self
            .lora
            .as_ref()
            .map_or(0, |lora| wide(lora.rank.min(1 << 32)) * wide(backbone.hidden_size));
        let fresh = routing.private_init == PrivateInit::Fresh && routing.private == Private::Full;
        let private = if fresh {
            let one = BackboneConfig { layers: 1, ..backbone.clone() };
            let none = BackboneConfig { layers: 0, ..backbone.clone() };
            let block = one.least_numbers() - none.least_numbers();
            block * wide(routing.private_layers.min(1 << 16)) * wide(self.branch_names().len())
        } else {
            0
        };
        whole + adapters + private
    }

    /// Fails if an entry of `target_modules` names no layer of the backbone.
    fn check_targets(&self, lora: &LoraConfig) -> Result<(), ModelError> {
        let format = Format::of(self.backbone.family);
        let names: Vec<String> = (0..self.backbone.layers)
            .flat_map(|layer| PROJECTIONS.map(|name| (layer, name)))
            .flat_map(|(layer, name)| format.parts(&self.backbone, layer, name, 1))
            .map(|part| part.name)
            .collect();
        for target in &lora.target_modules {
            let one = LoraConfig { target_modules: vec![target.clone()], ..LoraConfig::default() };
            if !names.iter().any(|name| one.targets(name)) {
                let last = names.iter().filter_map(|name| name.rsplit('.').next());
                let last: BTreeSet<&str> = last.collect();
                return Err(ModelError::Config(format!(
                    "`lora.target_modules` names `{target}`, which is no linear layer of {:?}'s blocks; they are {}",
                    self.backbone.family,
                    last.into_iter().collect::<Vec<_>>().join(", ")
                )));
            }
        }
        Ok(())
    }

    /// How the linear layers of private blocks are adapted; `None` if they are trained whole.
    pub(crate) fn private_lora(&self) -> Option<&LoraConfig> {
        self.lora.as_ref().filter(|_| self.routing.private == Private::Adapter)
    }

    /// Whether this specification has a parameter trained. Without LoRA, all parameters are trained; with
    /// LoRA, only adapters, heads, mixtures of experts, full private blocks and `modules_to_save`.
    /// Parameters that a recipe freezes in addition are not considered here.
    pub fn trains(&self, name: &str) -> bool {
        let Some(lora) = &self.lora else { return true };
        if name.contains(".lora.") || lora.saves(name) || name.starts_with("mixture.") {
            return true;
        }
        let branch = name.strip_prefix("branches.").and_then(|rest| rest.split_once('.'));
        branch.is_some_and(|(_, rest)| {
            let of_backbone = rest.starts_with("layers.") || rest.starts_with("norm.");
            !of_backbone || self.routing.private == Private::Full
        })
    }

    /// The branch that rows of this task take, if the model has the task.
    pub fn branch_of(&self, task: Task) -> Option<usize> {
        let position = self.tasks.iter().position(|&known| known == task)?;
        Some(match self.routing.heads {
            Heads::Shared => 0,
            Heads::PerTask => position,
        })
    }

    /// The names of the branches in parameter paths: `shared`, or the names of the tasks.
    pub fn branch_names(&self) -> Vec<&'static str> {
        match self.routing.heads {
            Heads::Shared => vec!["shared"],
            Heads::PerTask => self.tasks.iter().map(|task| task.as_str()).collect(),
        }
    }

    /// The number of blocks that a row passes through, in the trunk and in its branch.
    pub fn depth(&self) -> usize {
        self.routing.trunk_layers(self.backbone.layers) + self.routing.private_layers
    }

    /// The error about a task that the model does not have.
    pub fn unknown_task(&self, task: Task) -> ModelError {
        let known: Vec<&str> = self.tasks.iter().map(|task| task.as_str()).collect();
        ModelError::UnknownTask { task, known: known.join(", ") }
    }
}
