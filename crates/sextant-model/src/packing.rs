//! Packing the weights of a model for scoring, by visiting its modules.

use crate::RelevanceModel;
use crate::packed_weights::PackedWeights;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};
use sextant_kernels::{FrozenFormat, FrozenWeight, PackedWeight, ScorePrecision};
use std::collections::HashMap;

impl PackedWeights {
    /// Packs the weights of a model. The packed weights are valid for this model as long as its weights do
    /// not change.
    pub fn new(model: &RelevanceModel, precision: ScorePrecision) -> Self {
        let path = ModulePath::default();
        let mut packer = Packer { path, packed: Self::empty(precision) };
        model.visit(&mut packer);
        packer.packed.add_frozen(model);
        packer.packed
    }

    /// Packs the weights of a model that will only score, and frees each original after it is packed. The
    /// returned model lacks those weights and can only be run together with the packed ones.
    ///
    /// A freed weight is replaced by a single NaN, expanded to the weight's shape: if it were read by
    /// mistake, the result could not be taken for an answer.
    pub fn taking(mut model: RelevanceModel, precision: ScorePrecision) -> (RelevanceModel, Self) {
        let relative = model.spec().backbone.block.relative.is_some();
        let path = ModulePath::default();
        let mut packed = Self::empty(precision);
        packed.add_frozen(&model);
        if let (Some(_), Some(table)) = (&packed.frozen_words, model.embeddings.frozen_word_mut()) {
            *table = table.freed();
        }
        for (_, block) in model.blocks_mut() {
            for (_, projection) in block.projections_mut() {
                let held = projection.frozen_id().is_some_and(|id| packed.holds_frozen(id));
                if let (true, Some(weight)) = (held, projection.frozen()) {
                    let freed = weight.freed();
                    projection.set_frozen(freed);
                }
            }
        }
        let mut taker = Taker { path, relative, packed };
        let model = model.map(&mut taker);
        (model, taker.packed)
    }

    /// Packs the frozen weights that this precision does not multiply as the model stores them, one after the other,
    /// so that only one is in memory as `f32`.
    ///
    /// In 8 bits, each is packed together with its adapters. Models over one base then share nothing, but each product
    /// takes the time of one in 8 bits, and the base takes a quarter of the memory of `f32`. Where only the weights
    /// have few bits, adapters stay apart, because rounding would lose their small changes, and so does a base that
    /// the model already stores in as few bits, which models then share.
    fn add_frozen(&mut self, model: &RelevanceModel) {
        let device = model.device();
        let stored = |weight: &FrozenWeight, format| {
            FrozenWeight::new(&weight.values(), weight.dims(), format, &device)
        };
        // Formats are ordered, the most exact first.
        let coarser = |weight: &FrozenWeight, format: Option<FrozenFormat>| {
            format.filter(|format| weight.format() < *format)
        };
        let words = model.embeddings.frozen_word();
        if let (Some(table), Some(_)) = (words, self.precision.stored())
            && let Some(format) = coarser(table, self.words_format())
        {
            self.frozen_words = Some(stored(table, format));
        }
        // Branches with adapters of their own share a base.
        let mut shared: Vec<(&FrozenWeight, FrozenWeight)> = Vec::new();
        for (_, block) in model.blocks() {
            for (_, projection) in block.projections() {
                let (Some(id), Some(frozen)) = (projection.frozen_id(), projection.frozen()) else {
                    continue;
                };
                if let Some(format) = coarser(frozen, self.precision.stored()) {
                    let found = shared.iter().find(|(of, _)| of.shares_memory_with(frozen));
                    let base =
                        found.map_or_else(|| stored(frozen, format), |(_, base)| base.clone());
                    if found.is_none() {
                        shared.push((frozen, base.clone()));
                    }
                    self.bases.insert(id, base);
                } else if self.precision == ScorePrecision::Int8
                    && let Some(values) = projection.merged()
                {
                    let matrix = TensorData::new(values, frozen.dims());
                    let matrix = Tensor::from_data(matrix, &device);
                    self.weights.insert(id, PackedWeight::for_scoring(matrix, self.precision));
                }
            }
        }
    }

    /// Whether a frozen weight was packed, so that the model's own is not read.
    fn holds_frozen(&self, id: ParamId) -> bool {
        self.weights.contains_key(&id) || self.bases.contains_key(&id)
    }

    fn empty(precision: ScorePrecision) -> Self {
        Self {
            precision,
            weights: HashMap::new(),
            bases: HashMap::new(),
            words: None,
            frozen_words: None,
        }
    }

    /// The format in which the table of words is stored; `None` if it stays as it is.
    fn words_format(&self) -> Option<FrozenFormat> {
        match self.precision {
            ScorePrecision::F32 | ScorePrecision::Bf16 => None,
            // bf16 has the range of f32, and it rounds far less than the products in 8 bits do.
            ScorePrecision::Int8 => Some(FrozenFormat::Bf16),
            // A table of words is read, not multiplied, and a word that few rows have cannot make up for an error in
            // 4 bits.
            ScorePrecision::Int8Weights | ScorePrecision::Int4Weights => Some(FrozenFormat::Int8),
        }
    }

    /// Packs the parameter at this path if it is one of those that are packed, and returns whether it is.
    fn take_up<const D: usize>(&mut self, path: &ModulePath, param: &Param<Tensor<D>>) -> bool {
        if D != 2 {
            return false;
        }
        let matrix = || param.val().reshape::<2, _>(param.shape());
        if path.is_packed() {
            let precision = self.precision;
            let pack = || PackedWeight::for_scoring(matrix(), precision);
            self.weights.entry(param.id).or_insert_with(pack);
            return true;
        }
        if let (Some(format), true) = (self.words_format(), path.is_word_table()) {
            let (device, [words, width]) = (param.val().device(), matrix().dims());
            if let Ok(values) = matrix().into_data().convert::<f32>().try_into_vec::<f32>() {
                let dims = [width, words];
                let table = FrozenWeight::new(&values, dims, format, &device);
                self.words = Some((param.id, table));
                return true;
            }
        }
        false
    }
}

/// The path of the module that is being visited: the names of fields, each with burn's name of the kind of
/// module that holds the field, innermost last.
#[derive(Debug, Default)]
struct ModulePath(Vec<(String, String)>);

impl ModulePath {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.push((name.to_owned(), container.to_owned()));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    /// Whether the parameter at this path is a weight that [`dense_forward`](crate::layers::dense_forward)
    /// multiplies by: the matrix of a `Linear` or a `Projection`, except those of heads and of a mixture's
    /// gates, which are multiplied in full precision. Embedding tables and the factors of adapters are read
    /// by other operations.
    fn is_packed(&self) -> bool {
        let [.., holder, (name, container)] = self.0.as_slice() else { return false };
        let linear = matches!(container.as_str(), "Struct:Linear" | "Struct:Projection");
        let full = matches!(
            (holder.1.as_str(), holder.0.as_str()),
            ("Struct:Branch", "classifier") | ("Struct:SharedLevel" | "Struct:TaskLevel", "gate")
        );
        linear && name == "weight" && !full
    }

    /// Whether the parameter at this path is the table of words.
    fn is_word_table(&self) -> bool {
        let [.., (name, container)] = self.0.as_slice() else { return false };
        name == "word" && container == "Struct:Embeddings"
    }

    /// Whether the parameter at this path belongs to the projection to queries, keys and values. The
    /// embeddings of relative positions are multiplied by the unpacked weight of that projection.
    fn is_attention_input(&self) -> bool {
        let holder = self.0.iter().rev().nth(1);
        holder.is_some_and(|(name, container)| name == "qkv" && container == "Struct:Block")
    }
}

/// Packs weights and leaves the model unchanged.
struct Packer {
    path: ModulePath,
    packed: PackedWeights,
}

impl ModuleVisitor for Packer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.packed.take_up(&self.path, param);
    }
}

/// Packs weights and frees the originals.
struct Taker {
    path: ModulePath,
    /// Whether the model has relative positions.
    relative: bool,
    packed: PackedWeights,
}

impl ModuleMapper for Taker {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let taken = self.packed.take_up(&self.path, &param);
        if !taken || self.relative && self.path.is_attention_input() {
            return param;
        }
        let shape = param.shape();
        param.map(|old| Tensor::<D>::full([1; D], f32::NAN, &old.device()).expand(shape))
    }
}
