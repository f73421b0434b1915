//! The weights of a model's linear layers, packed for scoring.

use burn::module::{Param, ParamId};
use burn::tensor::Tensor;
use sextant_kernels::{PackedWeight, ScorePrecision};
use std::collections::HashMap;

/// The weights of a model's linear layers packed for scoring.
///
/// All are packed before the first row is scored, and never change: any number of threads read them
/// without waiting for one another. (Packing runs on all threads itself. If it happened at first use,
/// behind a lock, a thread that packs could take up another scoring task while it waits for the others,
/// and wait for its own lock.)
#[derive(Debug)]
pub struct PackedWeights {
    pub(crate) precision: ScorePrecision,
    pub(crate) weights: HashMap<ParamId, PackedWeight>,
}

impl PackedWeights {
    /// The precision of the products.
    pub fn precision(&self) -> ScorePrecision {
        self.precision
    }

    /// A layer's weight; one of another model is packed for this call alone.
    pub(crate) fn of(&self, weight: &Param<Tensor<2>>) -> PackedWeight {
        match self.weights.get(&weight.id) {
            Some(packed) => packed.clone(),
            None => PackedWeight::for_scoring(weight.val(), self.precision),
        }
    }
}
