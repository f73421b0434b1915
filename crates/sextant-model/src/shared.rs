//! What forward passes over the same weights share.

use burn::module::{Param, ParamId};
use burn::tensor::Tensor;
use sextant_kernels::{PackedWeight, ReusedWeight, RowGradientSink, ScorePrecision};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The packs of one training step share this: between them, weights do not change.
#[derive(Debug, Default)]
pub struct StepShared {
    weights: RefCell<HashMap<ParamId, ReusedWeight>>,
    word_rows: RowGradientSink,
}

impl StepShared {
    /// Where the gradient of the word table gathers, as rows. On a device without kernels it stays
    /// empty, and the table has a dense gradient.
    pub fn word_rows(&self) -> &RowGradientSink {
        &self.word_rows
    }

    pub(crate) fn weight(&self, id: ParamId) -> ReusedWeight {
        self.weights.borrow_mut().entry(id).or_default().clone()
    }
}

/// The weights of linear layers packed for scoring, each when it is first used.
#[derive(Debug)]
pub struct PackedWeights {
    precision: ScorePrecision,
    weights: Mutex<HashMap<ParamId, PackedWeight>>,
}

impl PackedWeights {
    /// Nothing is packed yet. Serves one model, whose weights must not change.
    pub fn new(precision: ScorePrecision) -> Self {
        Self { precision, weights: Mutex::default() }
    }

    /// The precision of the products.
    pub fn precision(&self) -> ScorePrecision {
        self.precision
    }

    pub(crate) fn of(&self, weight: &Param<Tensor<2>>) -> PackedWeight {
        let mut weights = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        let pack = || PackedWeight::for_scoring(weight.val(), self.precision);
        weights.entry(weight.id).or_insert_with(pack).clone()
    }
}
