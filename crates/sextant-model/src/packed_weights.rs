//! A model's weights, packed for scoring.

use burn::module::{Param, ParamId};
use burn::tensor::Tensor;
use sextant_kernels::{FrozenWeight, PackedWeight, ScorePrecision};
use std::collections::HashMap;

/// The weights of a model's linear layers packed for scoring, and, where products are of 8 bits, its table of
/// words in 16: in 32, that table would be most of what a small model takes in memory.
///
/// All are packed before the first row is scored, and never change: any number of threads read them
/// without waiting for one another. (Packing runs on all threads itself. If it happened at first use,
/// behind a lock, a thread that packs could take up another scoring task while it waits for the others,
/// and wait for its own lock.)
#[derive(Debug)]
pub struct PackedWeights {
    pub(crate) precision: ScorePrecision,
    pub(crate) weights: HashMap<ParamId, PackedWeight>,
    pub(crate) words: Option<(ParamId, FrozenWeight)>,
}

impl PackedWeights {
    /// The precision of the products.
    pub fn precision(&self) -> ScorePrecision {
        self.precision
    }

    /// The table of words, if this parameter is the one that was stored.
    pub(crate) fn words(&self, table: ParamId) -> Option<&FrozenWeight> {
        self.words.as_ref().filter(|(id, _)| *id == table).map(|(_, words)| words)
    }

    /// A layer's weight; one of another model is packed for this call alone.
    pub(crate) fn of(&self, weight: &Param<Tensor<2>>) -> PackedWeight {
        match self.weights.get(&weight.id) {
            Some(packed) => packed.clone(),
            None => PackedWeight::for_scoring(weight.val(), self.precision),
        }
    }
}
