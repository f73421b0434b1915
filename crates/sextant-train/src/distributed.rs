//! `[distributed]`: how a training in several processes adds up and shares its memory.

use serde::{Deserialize, Serialize};

/// In which order the gradients of a step's packs are added. Sums of floating-point numbers depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReductionOrder {
    /// In the order of the packs, as one process adds them: any number of ranks gives the same weights, bit
    /// for bit. Every pack's gradient crosses the network.
    #[default]
    Fixed,
    /// Each rank adds the gradients of its packs, and the ranks' sums are added in the order of the ranks.
    /// The same number of ranks gives the same weights, bit for bit; another number gives weights that
    /// differ by rounding. What crosses the network is that of a ring all-reduce, however many packs a step
    /// has.
    Ring,
}

impl ReductionOrder {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[distributed]`: settings that one process ignores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistributedRecipe {
    /// In which order gradients are added: `fixed` (the same weights as one process) or `ring` (less
    /// communication).
    #[serde(skip_serializing_if = "ReductionOrder::is_default")]
    pub reduction: ReductionOrder,
    /// Whether each rank keeps the optimizer's moments of a part of the parameters only, updates that part,
    /// and receives the others' (ZeRO stage 1, Rajbhandari et al. 2020). The results are the same, so this is
    /// left out wherever a recipe is written, and a run can be resumed with another value.
    #[serde(skip_serializing)]
    pub shard_optimizer: bool,
}

impl DistributedRecipe {
    /// Whether nothing of this is part of a run's identity.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn is_default(&self) -> bool {
        self.reduction.is_default()
    }
}
