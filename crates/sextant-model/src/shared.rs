//! The packed weights that the forward passes of a training step share.

use burn::module::ParamId;
use sextant_kernels::ReusedWeight;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Packed weights that the passes over all packs of one training step share, on whichever threads they run.
/// Weights do not change within a step, so that each is packed only once. A step of one pack shares nothing: there a
/// packed weight would take memory until the step's end, and no other pass would read it.
#[derive(Debug)]
pub struct StepShared {
    packs: usize,
    weights: Mutex<HashMap<ParamId, ReusedWeight>>,
}

impl StepShared {
    /// What a step of so many packs shares.
    pub fn of(packs: usize) -> Self {
        Self { packs, weights: Mutex::default() }
    }

    /// The packed forms of a layer's weight. The lock is held only while the layer is looked up, never while
    /// its weight is packed.
    pub(crate) fn weight(&self, id: ParamId) -> ReusedWeight {
        if self.packs < 2 {
            return ReusedWeight::once();
        }
        let mut weights = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        weights.entry(id).or_default().clone()
    }
}
