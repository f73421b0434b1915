//! The packed weights that the forward passes of a training step share.

use burn::module::ParamId;
use sextant_kernels::ReusedWeight;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Packed weights that the passes over all packs of one training step share, on whichever threads they run.
/// Weights do not change within a step, so that each is packed only once.
#[derive(Debug, Default)]
pub struct StepShared {
    weights: Mutex<HashMap<ParamId, ReusedWeight>>,
}

impl StepShared {
    /// The packed forms of a layer's weight. The lock is held only while the layer is looked up, never while
    /// its weight is packed.
    pub(crate) fn weight(&self, id: ParamId) -> ReusedWeight {
        let mut weights = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        weights.entry(id).or_default().clone()
    }
}
