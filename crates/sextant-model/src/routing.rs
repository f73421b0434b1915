//! How one model learns which task a row belongs to. A routing is a value, not a class of models:
//! the three routings of arXiv 2606.23919 and their ablations are values of [`Routing`].

use crate::config::MOST_LAYERS;
use crate::{MixtureConfig, ModelError};
use serde::{Deserialize, Serialize};

/// Whether tasks share a classification head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heads {
    /// One head for all tasks.
    Shared,
    /// A head for each task.
    PerTask,
}

/// How private blocks are initialised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivateInit {
    /// As copies of the backbone's top blocks, which are then not part of the trunk, so that every path keeps
    /// the depth of the backbone.
    #[default]
    Copy,
    /// As fresh random blocks on top of the whole backbone.
    Fresh,
}

/// What is private about a private block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Private {
    /// The whole block: each task trains its own copy.
    #[default]
    Full,
    /// Only low-rank adapters, over the backbone's own frozen block, which tasks share.
    Adapter,
}

impl Private {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// How the model learns the task of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// Whether the row's text names the task.
    pub prefix: bool,
    /// Whether tasks share a head.
    pub heads: Heads,
    /// The number of private transformer blocks of each task, above the trunk.
    #[serde(default)]
    pub private_layers: usize,
    /// How the private blocks are initialised.
    #[serde(default)]
    pub private_init: PrivateInit,
    /// What is private about the private blocks.
    #[serde(default, skip_serializing_if = "Private::is_full")]
    pub private: Private,
    /// A mixture of experts between pooling and heads; none unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture: Option<MixtureConfig>,
}

impl Routing {
    /// The task is named in the text; everything else is shared.
    pub const TEXT_PREFIX: Self = Self {
        prefix: true,
        heads: Heads::Shared,
        private_layers: 0,
        private_init: PrivateInit::Copy,
        private: Private::Full,
        mixture: None,
    };
    /// A head for each task over a shared trunk; no prefix.
    pub const MULTI_HEAD: Self = Self { prefix: false, heads: Heads::PerTask, ..Self::TEXT_PREFIX };

    /// A head and `layers` private blocks for each task; no prefix.
    pub const fn mhp(layers: usize) -> Self {
        Self { private_layers: layers, ..Self::MULTI_HEAD }
    }

    /// Checks that this routing can be built over a backbone of `layers` blocks.
    pub fn validate(&self, layers: usize) -> Result<(), ModelError> {
        if self.private_layers > 0 && self.heads == Heads::Shared {
            return Err(ModelError::Config(
                "`private_layers` needs `heads = \"per_task\"`: private blocks belong to a task's branch".into(),
            ));
        }
        if let Some(mixture) = &self.mixture {
            if self.heads == Heads::Shared {
                return Err(ModelError::Config(
                    "`mixture` needs `heads = \"per_task\"`: each task has its gate".into(),
                ));
            }
            mixture.validate()?;
        }
        if self.private_init == PrivateInit::Copy && self.private_layers > layers {
            return Err(ModelError::Config(format!(
                "`private_layers` {} is more than the backbone's {layers} blocks; lower it, or set `private_init = \"fresh\"`",
                self.private_layers
            )));
        }
        if self.private_layers > MOST_LAYERS {
            return Err(ModelError::Config(format!(
                "`private_layers` is {}; no model has more than {MOST_LAYERS}",
                self.private_layers
            )));
        }
        Ok(())
    }

    /// How many of the backbone's `layers` blocks stay in the trunk.
    pub fn trunk_layers(&self, layers: usize) -> usize {
        match self.private_init {
            PrivateInit::Copy => layers - self.private_layers.min(layers),
            PrivateInit::Fresh => layers,
        }
    }

    /// A mixture of experts over a shared trunk; no prefix.
    pub const fn mixture(config: MixtureConfig) -> Self {
        Self { mixture: Some(config), ..Self::MULTI_HEAD }
    }

    /// A short name for tables: `prefix`, `multi-head`, `mmoe-4`, `mhp-2`, `mhp-2 (fresh)`, `mhp-2 (adapter)`,
    /// `mhp-2+mmoe-4`, `mhp-2+prefix`, ….
    pub fn label(&self) -> String {
        let mixture = self.mixture.as_ref().map(MixtureConfig::label);
        let mut label = match (self.heads, self.private_layers, mixture) {
            (Heads::Shared, ..) if self.prefix => return "prefix".into(),
            (Heads::Shared, ..) => return "shared".into(),
            (Heads::PerTask, 0, None) => "multi-head".to_owned(),
            (Heads::PerTask, 0, Some(mixture)) => mixture,
            (Heads::PerTask, k, None) => format!("mhp-{k}"),
            (Heads::PerTask, k, Some(mixture)) => format!("mhp-{k}+{mixture}"),
        };
        if self.prefix {
            label.push_str("+prefix");
        }
        if self.private_layers > 0 && self.private_init == PrivateInit::Fresh {
            label.push_str(" (fresh)");
        }
        if self.private_layers > 0 && self.private == Private::Adapter {
            label.push_str(" (adapter)");
        }
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_tell_routings_apart() {
        let prefixed = Routing { prefix: true, ..Routing::mhp(2) };
        let fresh = Routing { private_init: PrivateInit::Fresh, ..Routing::mhp(1) };
        let mixture = MixtureConfig { experts: 4, task_experts: 0, levels: 1 };
        let both = Routing { mixture: Some(mixture), ..Routing::mhp(2) };
        let labels: Vec<_> = [
            Routing::TEXT_PREFIX,
            Routing::MULTI_HEAD,
            Routing::mhp(2),
            prefixed,
            fresh,
            Routing::mixture(mixture),
            both,
        ]
        .iter()
        .map(Routing::label)
        .collect();
        assert_eq!(
            labels,
            [
                "prefix",
                "multi-head",
                "mhp-2",
                "mhp-2+prefix",
                "mhp-1 (fresh)",
                "mmoe-4",
                "mhp-2+mmoe-4"
            ]
        );
    }

    #[test]
    fn refuses_what_cannot_be_built() {
        assert!(Routing { private_layers: 1, ..Routing::TEXT_PREFIX }.validate(6).is_err());
        assert!(Routing::mhp(7).validate(6).is_err());
        let mixture = Some(MixtureConfig { experts: 4, task_experts: 1, levels: 1 });
        assert!(Routing { mixture, ..Routing::TEXT_PREFIX }.validate(6).is_err());
        assert!(Routing { mixture, ..Routing::MULTI_HEAD }.validate(6).is_ok());
        assert!(Routing::mhp(6).validate(6).is_ok());
        let fresh = Routing { private_init: PrivateInit::Fresh, ..Routing::mhp(7) };
        assert!(fresh.validate(6).is_ok());
        assert_eq!((fresh.trunk_layers(6), Routing::mhp(2).trunk_layers(6)), (6, 4));
    }
}
