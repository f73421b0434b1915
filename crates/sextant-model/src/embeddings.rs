//! From token ids to the residual stream.

use crate::layers::zeros;
use crate::{BackboneConfig, ForwardContext, LayerNorm, PackInput};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use sextant_kernels as kernels;

/// Word, position and segment tables, summed and normalised.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// `[vocabulary, hidden]`.
    pub word: Param<Tensor<2>>,
    /// `[positions, hidden]`.
    pub position: Param<Tensor<2>>,
    /// `[segment types, hidden]`.
    pub segment: Param<Tensor<2>>,
    /// Over the sum.
    pub norm: LayerNorm,
    #[module(skip)]
    dropout: f32,
}

impl Embeddings {
    /// Tables of zeros, to be initialised or loaded.
    pub fn zeros(config: &BackboneConfig, device: &Device) -> Self {
        let table = |entries| zeros([entries, config.hidden_size], device);
        Self {
            word: table(config.vocab_size),
            position: table(config.max_positions),
            segment: table(config.segment_types),
            norm: LayerNorm::zeros(config.hidden_size, config.norm_eps, device),
            dropout: config.hidden_dropout,
        }
    }

    /// `[tokens, hidden]`.
    pub fn forward(&self, input: &PackInput, ctx: &ForwardContext) -> Tensor<2> {
        let words = ctx.words(self.word.val(), input.ids.clone());
        let positions = kernels::embedding(self.position.val(), input.positions.clone());
        let segments = kernels::embedding(self.segment.val(), input.segment_ids.clone());
        let x = self.norm.forward(words, Some(positions + segments), None);
        match ctx.dropout(self.dropout) {
            Some(dropout) => kernels::dropout(x, dropout),
            None => x,
        }
    }
}
