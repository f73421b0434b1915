//! Packing the weights of a model: a walk over its linear layers.

use crate::RelevanceModel;
use crate::packed_weights::PackedWeights;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use sextant_kernels::{PackedWeight, ScorePrecision};
use std::collections::HashMap;

impl PackedWeights {
    /// Packs the weights of a model. They serve this model, as long as its weights do not change.
    pub fn new(model: &RelevanceModel, precision: ScorePrecision) -> Self {
        let mut packer = Packer { precision, place: Place::default(), weights: HashMap::new() };
        model.visit(&mut packer);
        Self { precision, weights: packer.weights }
    }

    /// Packs the weights of a model that will do nothing but score, and frees the originals one after the
    /// other: the model that comes back is whole but for those, and answers with what is packed alone.
    ///
    /// In the place of a freed weight stands one number that is none (NaN), in the weight's shape: whoever
    /// reads it all the same gets no number that could be mistaken for an answer.
    pub fn taking(model: RelevanceModel, precision: ScorePrecision) -> (RelevanceModel, Self) {
        let relative = model.spec().backbone.block.relative.is_some();
        let weights = HashMap::new();
        let mut taker = Taker { precision, place: Place::default(), relative, weights };
        let model = model.map(&mut taker);
        (model, Self { precision, weights: taker.weights })
    }
}

/// Where a walk over the modules of a model stands: the names of fields and the kinds of the modules that
/// hold them, innermost last, as burn names them.
#[derive(Debug, Default)]
struct Place(Vec<(String, String)>);

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.push((name.to_owned(), container.to_owned()));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    /// Whether here is what [`dense_forward`](crate::layers::dense_forward) multiplies by: the matrix of one
    /// of the two kinds of linear layer, but for those of a head and of a mixture's gates, which are multiplied in
    /// full precision. Tables and the factors of adapters are read in other ways.
    fn is_packed(&self) -> bool {
        let [.., holder, (name, container)] = self.0.as_slice() else { return false };
        let linear = matches!(container.as_str(), "Struct:Linear" | "Struct:Projection");
        let full = matches!(
            (holder.1.as_str(), holder.0.as_str()),
            ("Struct:Branch", "classifier") | ("Struct:SharedLevel" | "Struct:TaskLevel", "gate")
        );
        linear && name == "weight" && !full
    }

    /// Whether here is the projection of queries, keys and values. Relative positions pass it too, as it is.
    fn is_attention_input(&self) -> bool {
        let holder = self.0.iter().rev().nth(1);
        holder.is_some_and(|(name, container)| name == "qkv" && container == "Struct:Block")
    }
}

/// Packs, and leaves the model as it is.
struct Packer {
    precision: ScorePrecision,
    place: Place,
    weights: HashMap<ParamId, PackedWeight>,
}

impl ModuleVisitor for Packer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D != 2 || !self.place.is_packed() {
            return;
        }
        let weight = param.val().reshape::<2, _>(param.shape());
        let pack = || PackedWeight::for_scoring(weight, self.precision);
        self.weights.entry(param.id).or_insert_with(pack);
    }
}

/// Packs, and frees what is packed.
struct Taker {
    precision: ScorePrecision,
    place: Place,
    /// Whether positions are relative.
    relative: bool,
    weights: HashMap<ParamId, PackedWeight>,
}

impl ModuleMapper for Taker {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D != 2 || !self.place.is_packed() {
            return param;
        }
        let (id, shape, precision) = (param.id, param.shape(), self.precision);
        let weight = param.val().reshape::<2, _>(shape.clone());
        let pack = || PackedWeight::for_scoring(weight, precision);
        self.weights.entry(id).or_insert_with(pack);
        if self.relative && self.place.is_attention_input() {
            return param;
        }
        param.map(|old| Tensor::<D>::full([1; D], f32::NAN, &old.device()).expand(shape))
    }
}
