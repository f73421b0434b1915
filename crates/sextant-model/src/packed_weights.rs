//! A model's weights, packed for scoring.

use burn::module::{Param, ParamId};
use burn::tensor::Tensor;
use sextant_kernels::{FrozenWeight, PackedWeight, ScorePrecision};
use std::collections::HashMap;

/// The weights of a model's linear layers, packed for scoring. If weights have few bits, this also holds the table
/// of words in 16 or 8 bits: in 32 bits, that table would take most of a small model's memory.
///
/// All weights are packed before the first row is scored and never change, so that any number of threads
/// can read them without waiting for one another. (Packing itself runs on all threads. If it happened at
/// the first use, behind a lock, a thread that packs could start another scoring task while it waits for
/// the other threads, and then wait for the lock that it holds itself.)
#[derive(Debug)]
pub struct PackedWeights {
    pub(crate) precision: ScorePrecision,
    pub(crate) weights: HashMap<ParamId, PackedWeight>,
    /// Frozen weights in fewer bits than those in which the model stores them, without their adapters.
    pub(crate) bases: HashMap<ParamId, FrozenWeight>,
    pub(crate) words: Option<(ParamId, FrozenWeight)>,
    /// A frozen table of words in fewer bits than those in which the model stores it.
    pub(crate) frozen_words: Option<FrozenWeight>,
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

    /// The packed form of a frozen weight with its adapters, if products are computed in 8 bits. (In other precisions
    /// a frozen weight is multiplied as it is stored, so that models over one base share it.)
    pub(crate) fn frozen(&self, id: ParamId) -> Option<&PackedWeight> {
        self.weights.get(&id)
    }

    /// The form of a frozen weight with few bits that takes the place of the model's own, without its adapters.
    pub(crate) fn base(&self, id: ParamId) -> Option<&FrozenWeight> {
        self.bases.get(&id)
    }

    /// The packed form of a layer's weight. A weight that was not packed before, such as one of another
    /// model, is packed for this call alone.
    pub(crate) fn of(&self, weight: &Param<Tensor<2>>) -> PackedWeight {
        match self.weights.get(&weight.id) {
            Some(packed) => packed.clone(),
            None => PackedWeight::for_scoring(weight.val(), self.precision),
        }
    }
}
