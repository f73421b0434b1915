//! The settings and the state of one forward pass, besides its input.

use crate::kept_layers::LayerKeeper;
use crate::{KeptLayers, PackedWeights, StepShared, WantedLayers};
use burn::module::{Param, ParamId};
use burn::tensor::{Int, Tensor};
use sextant_kernels::{
    self as kernels, Dropout, FrozenWeight, PackedWeight, Precision, ReusedWeight, RowGradient,
    RowGradientSink, ScorePrecision,
};
use std::cell::Cell;
use std::sync::Arc;

/// The precision of a forward pass, the seeds of its dropout in training, and the packed weights that it
/// shares with other passes.
///
/// Every dropout of a pass takes the next seed of a sequence that starts from the key given to
/// [`ForwardContext::training`], so that masks depend on that key alone, and neither on threads nor on
/// earlier passes. Resuming a run therefore needs no random state beyond the step number.
#[derive(Debug)]
pub struct ForwardContext {
    precision: Precision,
    seeds: Option<Cell<u64>>,
    step: Option<Arc<StepShared>>,
    /// Where the backward pass leaves the gradient of the word table, if the pass belongs to a training step.
    word_rows: RowGradientSink,
    packed: Option<Arc<PackedWeights>>,
    layers: Option<LayerKeeper>,
}

impl ForwardContext {
    /// A pass without dropout and with weights that are not packed, so that gradients can be computed.
    pub fn inference(precision: Precision) -> Self {
        let word_rows = RowGradientSink::new();
        Self { precision, seeds: None, step: None, word_rows, packed: None, layers: None }
    }

    /// A pass that scores with packed weights. The model must be on a device without autodiff.
    pub fn scoring(weights: Arc<PackedWeights>) -> Self {
        // Layers whose weights are not packed run in full precision.
        Self { packed: Some(weights), ..Self::inference(Precision::F32) }
    }

    /// A training pass. Its dropout masks are a function of `key`, which must differ for every pass, as the
    /// run's seed, the step and the pack together do.
    pub fn training(precision: Precision, key: &[u64]) -> Self {
        let seed = key.iter().fold(0, |seed, part| split_mix(seed ^ part));
        Self { seeds: Some(Cell::new(seed)), ..Self::inference(precision) }
    }

    /// Shares packed weights with the passes over the other packs of a training step. The gradient of the
    /// word table is then kept as rows, which [`ForwardContext::take_word_rows`] returns.
    #[must_use]
    pub fn sharing(self, step: &Arc<StepShared>) -> Self {
        Self { step: Some(Arc::clone(step)), ..self }
    }

    /// Keeps the outputs of layers for [`ForwardContext::take_layers`]. Rows must not share leading tokens
    /// ([`PackInput::sharing_prefixes`](crate::PackInput::sharing_prefixes)).
    #[must_use]
    pub fn keeping(self, layers: WantedLayers) -> Self {
        Self { layers: Some(LayerKeeper::new(layers)), ..self }
    }

    /// What the pass kept of its layers; nothing unless it was asked to keep some.
    pub fn take_layers(&self) -> KeptLayers {
        self.layers.as_ref().map(LayerKeeper::take).unwrap_or_default()
    }

    /// Where layers are kept, if the pass keeps any.
    pub(crate) fn layers(&self) -> Option<&LayerKeeper> {
        self.layers.as_ref()
    }

    /// The rows of the word table's gradient that the backward pass left. `None` if the pass does not belong
    /// to a step ([`ForwardContext::sharing`]), if the table is frozen, and on a device without kernels,
    /// where the table has a dense gradient.
    pub fn take_word_rows(&self) -> Option<RowGradient> {
        self.word_rows.take()
    }

    /// The current state of the sequence of dropout seeds.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.seeds.as_ref().map(Cell::get)
    }

    /// Sets the sequence of dropout seeds back to a state that [`ForwardContext::seed`] returned.
    pub(crate) fn rewind(&self, seed: Option<u64>) {
        if let (Some(seeds), Some(seed)) = (&self.seeds, seed) {
            seeds.set(seed);
        }
    }

    /// The precision in which products are computed.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The precision of products with frozen weights, and of the values that are kept between operations. A
    /// pass that scores with weights of few bits uses `f32` for both.
    pub(crate) fn kept(&self) -> Precision {
        match self.packed.as_ref().map(|packed| packed.precision()) {
            Some(ScorePrecision::Bf16) => Precision::Bf16,
            Some(_) => Precision::F32,
            None => self.precision,
        }
    }

    /// The next dropout; `None` outside training and if the probability is 0.
    pub(crate) fn dropout(&self, probability: f32) -> Option<Dropout> {
        let seeds = self.seeds.as_ref()?;
        let seed = split_mix(seeds.get());
        seeds.set(seed);
        (probability > 0.0).then_some(Dropout { probability, seed })
    }

    /// The rows of the word table for these ids. In a training step, the gradient of the table is kept as
    /// rows.
    pub(crate) fn words(&self, table: &Param<Tensor<2>>, ids: Tensor<1, Int>) -> Tensor<2> {
        let stored = self.packed.as_ref().and_then(|packed| packed.words(table.id));
        match (stored, &self.step) {
            (Some(stored), _) => kernels::frozen_embedding(stored, ids),
            (None, Some(_)) => kernels::embedding_rows(table.val(), ids, &self.word_rows),
            (None, None) => kernels::embedding(table.val(), ids),
        }
    }

    /// The rows of a frozen word table for these ids.
    pub(crate) fn frozen_words(&self, table: &FrozenWeight, ids: Tensor<1, Int>) -> Tensor<2> {
        let stored = self.packed.as_ref().and_then(|packed| packed.frozen_words.as_ref());
        kernels::frozen_embedding(stored.unwrap_or(table), ids)
    }

    /// A layer's weight, packed for scoring; `None` in passes that do not score with packed weights.
    pub(crate) fn packed(&self, weight: &Param<Tensor<2>>) -> Option<PackedWeight> {
        self.packed.as_ref().map(|packed| packed.of(weight))
    }

    /// A frozen weight with its adapters, if this pass scores with packed weights that have it.
    pub(crate) fn packed_frozen(&self, id: ParamId) -> Option<&PackedWeight> {
        self.packed.as_ref().and_then(|packed| packed.frozen(id))
    }

    /// The form of a frozen weight with few bits, if this pass scores with one in place of the model's own.
    pub(crate) fn packed_base(&self, id: ParamId) -> Option<&FrozenWeight> {
        self.packed.as_ref().and_then(|packed| packed.base(id))
    }

    /// The packed forms of a layer's weight that the passes of a training step share; empty outside a step.
    pub(crate) fn reused(&self, weight: ParamId) -> ReusedWeight {
        self.step.as_ref().map_or_else(ReusedWeight::once, |step| step.weight(weight))
    }
}

/// One step of SplitMix64 (Steele, Lea & Flood, 2014).
pub(crate) fn split_mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
