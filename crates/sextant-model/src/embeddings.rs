//! Embeddings: from token ids to the residual stream.

use crate::layers::zeros;
use crate::{BackboneConfig, ForwardContext, Linear, LoraConfig, Norm, PackInput};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use sextant_kernels::{self as kernels, Activation, FrozenWeight};

/// The tables of words, positions and segments, whose rows are summed and normalised. Tables and layers that
/// a family does not have are absent.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// The table of words, `[vocabulary, width]`, unless it is frozen.
    pub word: Option<Param<Tensor<2>>>,
    /// The table of positions, `[offset + positions, width]`.
    pub position: Option<Param<Tensor<2>>>,
    /// The table of segments (token types), `[segment types, width]`.
    pub segment: Option<Param<Tensor<2>>>,
    /// The norm of the sum.
    pub norm: Option<Norm>,
    /// The layer from the width of the tables to that of the residual stream, if they differ.
    pub projection: Option<Linear>,
    /// The embeddings of relative positions, which all blocks read: `[2 · span, hidden]`.
    pub relative: Option<Param<Tensor<2>>>,
    /// The norm of the embeddings of relative positions.
    pub relative_norm: Option<Norm>,
    #[module(skip)]
    frozen_word: Option<FrozenWeight>,
    #[module(skip)]
    position_offset: usize,
    #[module(skip)]
    scale: Option<f32>,
    #[module(skip)]
    dropout: f32,
}

impl Embeddings {
    /// Tables of zeros, to be initialised or loaded. The table of words is frozen if there is a `lora` that
    /// does not list it in `modules_to_save`.
    pub fn zeros(config: &BackboneConfig, lora: Option<&LoraConfig>, device: &Device) -> Self {
        let (width, hidden) = (config.embedding_width(), config.hidden_size);
        let table = |entries| zeros([entries, width], device);
        let positions = config.position_offset + config.max_positions;
        let relative = config.block.relative;
        let frozen = lora.filter(|lora| !lora.saves("embeddings.word")).map(|lora| {
            FrozenWeight::zeros([width, config.vocab_size], lora.table_format(), device)
        });
        Self {
            word: frozen.is_none().then(|| table(config.vocab_size)),
            frozen_word: frozen,
            position: (!config.positions_absent).then(|| table(positions)),
            segment: (config.segment_types > 0).then(|| table(config.segment_types)),
            norm: (!config.embedding_norm_absent).then(|| Norm::zeros(config, width, device)),
            projection: (width != hidden).then(|| Linear::zeros(width, hidden, true, device)),
            relative: relative.map(|relative| zeros([2 * relative.span, hidden], device)),
            relative_norm: relative
                .filter(|relative| relative.norm)
                .map(|_| Norm::zeros(config, hidden, device)),
            position_offset: config.position_offset,
            scale: config.embedding_scale,
            dropout: config.hidden_dropout,
        }
    }

    /// The embeddings of a pack's tokens, `[tokens, hidden]`.
    pub fn forward(&self, input: &PackInput, ctx: &ForwardContext) -> Tensor<2> {
        let ids = input.ids.clone();
        let mut words = match (&self.word, &self.frozen_word) {
            (Some(table), _) => ctx.words(table, ids),
            (None, Some(table)) => ctx.frozen_words(table, ids),
            (None, None) => unreachable!("built with one of the two"),
        };
        if let Some(scale) = self.scale {
            words = words * scale;
        }
        let positions = self.position.as_ref().map(|table| {
            let positions = match self.position_offset {
                0 => input.positions.clone(),
                offset => input.positions.clone() + offset as i32,
            };
            kernels::embedding(table.val(), positions)
        });
        let segments = self.segment.as_ref().map(|table| {
            // The layout of rows may number two segments even if the family's table has only one row; then
            // both use that row.
            let ids = match table.dims() {
                [1, _] => input.segment_ids.zeros_like(),
                _ => input.segment_ids.clone(),
            };
            kernels::embedding(table.val(), ids)
        });
        let added = match (positions, segments) {
            (Some(positions), Some(segments)) => Some(positions + segments),
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => None,
        };
        let x = match &self.norm {
            Some(norm) => norm.forward_sum(words, added, None),
            None => crate::layers::add(words, added, None),
        };
        let x = match ctx.dropout(self.dropout) {
            Some(dropout) => kernels::dropout(x, dropout),
            None => x,
        };
        match &self.projection {
            Some(projection) => {
                kernels::composed::full(projection.forward(x, Activation::None, ctx))
            }
            None => x,
        }
    }

    /// The table of words, if it is frozen. Its inputs are the width and its outputs the vocabulary.
    pub fn frozen_word(&self) -> Option<&FrozenWeight> {
        self.frozen_word.as_ref()
    }

    pub(crate) fn frozen_word_mut(&mut self) -> Option<&mut FrozenWeight> {
        self.frozen_word.as_mut()
    }

    /// The embeddings of relative positions, normalised if the family does so; `None` for families without
    /// them.
    pub(crate) fn relative(&self) -> Option<Tensor<2>> {
        let table = self.relative.as_ref()?.val();
        Some(match &self.relative_norm {
            Some(norm) => norm.forward(table),
            None => table,
        })
    }
}
