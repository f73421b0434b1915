//! What a forward pass keeps of its layers, for losses that compare the layers of two models.

use burn::tensor::Tensor;
use sextant_kernels::{AttentionSpec, Segments, composed};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Which layers a pass is to keep. Layers are counted from 1 through the trunk and on through the private blocks of
/// a branch; 0 is the output of the embeddings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedLayers {
    /// Layers whose output is kept.
    pub hidden: BTreeSet<usize>,
    /// Layers whose queries and keys are kept.
    pub attention: BTreeSet<usize>,
}

/// The layers that a pass kept.
#[derive(Debug, Default)]
pub struct KeptLayers {
    hidden: BTreeMap<usize, Vec<Tensor<2>>>,
    attention: BTreeMap<usize, Vec<KeptAttention>>,
}

/// The input of a layer's attention.
#[derive(Debug, Clone)]
struct KeptAttention {
    qkv: Tensor<2>,
    spec: AttentionSpec,
    cap: Option<f32>,
}

impl KeptLayers {
    /// The output of a layer for all tokens of the pack, `[tokens, hidden]`; `None` if it was not wanted.
    ///
    /// Private blocks run the rows of each task apart. A pack's rows are sorted by task, so that their parts follow
    /// one another as the tokens do.
    pub fn hidden(&self, layer: usize) -> Option<Tensor<2>> {
        let parts = self.hidden.get(&layer)?;
        Some(Tensor::cat(parts.iter().cloned().map(composed::full).collect(), 0))
    }

    /// The attention scores of a layer, before the softmax; `None` if they were not wanted, or if the layer's scores
    /// are not products of queries and keys alone (DeBERTa's).
    pub fn scores(
        &self,
        layer: usize,
        segments: &Segments,
    ) -> Option<Vec<composed::AttentionScores>> {
        let parts = self.attention.get(&layer)?;
        let KeptAttention { spec, cap, .. } = parts.first()?;
        let qkv =
            Tensor::cat(parts.iter().map(|part| composed::full(part.qkv.clone())).collect(), 0);
        Some(composed::attention_scores(qkv, segments, spec, *cap))
    }
}

/// What a pass is to keep, and what it has kept so far.
#[derive(Debug)]
pub(crate) struct LayerKeeper {
    wanted: WantedLayers,
    kept: RefCell<KeptLayers>,
}

impl LayerKeeper {
    pub(crate) fn new(wanted: WantedLayers) -> Self {
        Self { wanted, kept: RefCell::default() }
    }

    /// Whether the output of a layer is wanted, for all tokens.
    pub(crate) fn wants_hidden(&self, layer: usize) -> bool {
        self.wanted.hidden.contains(&layer)
    }

    /// Keeps the output of a layer, or of the part of it that a branch runs, if it is wanted.
    pub(crate) fn keep_hidden(&self, layer: usize, x: &Tensor<2>) {
        if self.wants_hidden(layer) {
            self.kept.borrow_mut().hidden.entry(layer).or_default().push(x.clone());
        }
    }

    /// Keeps queries, keys and values of a layer, or of the part of it that a branch runs, if they are wanted.
    pub(crate) fn keep_attention(
        &self,
        layer: usize,
        qkv: &Tensor<2>,
        spec: &AttentionSpec,
        cap: Option<f32>,
    ) {
        if self.wanted.attention.contains(&layer) {
            let kept = KeptAttention { qkv: qkv.clone(), spec: *spec, cap };
            self.kept.borrow_mut().attention.entry(layer).or_default().push(kept);
        }
    }

    pub(crate) fn take(&self) -> KeptLayers {
        self.kept.take()
    }
}
