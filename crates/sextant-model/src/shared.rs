//! What forward passes over the same weights share.

use crate::RelevanceModel;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use sextant_kernels::{PackedWeight, ReusedWeight, ScorePrecision};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The packs of one training step share this, whichever threads they run on: between them, weights do not
/// change, so that each is packed once.
#[derive(Debug, Default)]
pub struct StepShared {
    weights: Mutex<HashMap<ParamId, ReusedWeight>>,
}

impl StepShared {
    /// The packed forms of a layer's weight. The lock is held while the layer is looked up, and never while
    /// its weight is packed.
    pub(crate) fn weight(&self, id: ParamId) -> ReusedWeight {
        let mut weights = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        weights.entry(id).or_default().clone()
    }
}

/// The weights of a model's linear layers packed for scoring.
///
/// All are packed before the first row is scored, and never change: any number of threads read them
/// without waiting for one another. (Packing runs on all threads itself. If it happened at first use,
/// behind a lock, a thread that packs could take up another scoring task while it waits for the others,
/// and wait for its own lock.)
#[derive(Debug)]
pub struct PackedWeights {
    precision: ScorePrecision,
    weights: HashMap<ParamId, PackedWeight>,
}

impl PackedWeights {
    /// Packs the weights of a model. They serve this model, as long as its weights do not change.
    pub fn new(model: &RelevanceModel, precision: ScorePrecision) -> Self {
        let mut packer = Packer { precision, layers: Vec::new(), weights: HashMap::new() };
        model.visit(&mut packer);
        Self { precision, weights: packer.weights }
    }

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

/// Packs what [`dense_forward`](crate::layers::dense_forward) multiplies by: the matrices of the two kinds
/// of linear layer. Tables and the factors of adapters are read in other ways.
struct Packer {
    precision: ScorePrecision,
    /// The kinds of the modules that are being visited, innermost last, as burn names them; the last is
    /// what holds the parameter.
    layers: Vec<bool>,
    weights: HashMap<ParamId, PackedWeight>,
}

impl ModuleVisitor for Packer {
    fn enter_module(&mut self, name: &str, container: &str) {
        let linear = matches!(container, "Struct:Linear" | "Struct:Projection");
        self.layers.push(linear && name == "weight");
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.layers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D != 2 || self.layers.last() != Some(&true) {
            return;
        }
        let weight = param.val().reshape::<2, _>(param.shape());
        let pack = || PackedWeight::for_scoring(weight, self.precision);
        self.weights.entry(param.id).or_insert_with(pack);
    }
}
