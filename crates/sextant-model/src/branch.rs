//! What a task has for itself: private blocks, perhaps a dense layer, and its head.

use crate::layers::zeros;
use crate::{Block, ForwardContext, HeadKind, Linear, ModelSpec, Pooling};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use sextant_kernels::{self as kernels, Activation, Segments};

/// A task's private blocks and head; the only branch of a model whose heads are shared.
#[derive(Module, Debug)]
pub struct Branch {
    /// Private blocks, lowest first; often none.
    pub layers: Vec<Block>,
    /// BERT's pooler: a tanh layer before the head.
    pub dense: Option<Linear>,
    /// To the logits: `[hidden, 3]`, or `[hidden, 1]` for a cumulative head.
    pub classifier: Linear,
    /// Of a cumulative head: how far the second step lies beyond the first, before softplus; `[1]`.
    pub step: Option<Param<Tensor<1>>>,
    #[module(skip)]
    dropout: f32,
}

impl Branch {
    /// A branch of zeros, to be initialised or loaded.
    pub fn zeros(spec: &ModelSpec, device: &Device) -> Self {
        let hidden = spec.backbone.hidden_size;
        let cumulative = spec.head == HeadKind::Cumulative;
        let outputs = if cumulative { 1 } else { spec.head.outputs() };
        Self {
            layers: (0..spec.routing.private_layers)
                .map(|_| Block::zeros(&spec.backbone, device))
                .collect(),
            dense: spec.dense.then(|| Linear::zeros(hidden, hidden, device)),
            classifier: Linear::zeros(hidden, outputs, device),
            step: cumulative.then(|| zeros([1], device)),
            dropout: spec.head_dropout,
        }
    }

    /// Pooled rows to logits: `[rows, hidden]` to `[rows, outputs]` (see [`HeadKind`]).
    pub fn logits(&self, pooled: Tensor<2>, ctx: &ForwardContext) -> Tensor<2> {
        let mut x = pooled;
        if let Some(dense) = &self.dense {
            x = dense.forward(x, Activation::Tanh, ctx);
        }
        if let Some(dropout) = ctx.dropout(self.dropout) {
            x = kernels::dropout(x, dropout);
        }
        // The head is a thousandth of the work: always in full precision.
        let weight = self.classifier.weight.val();
        let logits = kernels::linear(
            x,
            weight,
            Some(self.classifier.bias.val()),
            Activation::None,
            kernels::Precision::F32,
        );
        match &self.step {
            None => logits,
            Some(step) => {
                let second =
                    logits.clone() - activation::softplus(step.val(), 1.0).unsqueeze::<2>();
                Tensor::cat(vec![logits, second], 1)
            }
        }
    }
}

/// Runs blocks and pools: `[tokens, hidden]` to `[rows, hidden]`.
///
/// Where one token stands for its row, the last block finishes only those tokens.
pub(crate) fn run_and_pool(
    blocks: &[Block],
    mut x: Tensor<2>,
    segments: &Segments,
    pooling: Pooling,
    ctx: &ForwardContext,
) -> Tensor<2> {
    let keep = pooling.tokens(segments, &x.device());
    for (i, block) in blocks.iter().enumerate() {
        let keep = if i + 1 == blocks.len() { keep.as_ref() } else { None };
        x = block.forward(x, segments, keep, ctx);
    }
    match keep {
        Some(tokens) if blocks.is_empty() => x.select(0, tokens),
        Some(_) => x,
        None => Pooling::mean(x, segments),
    }
}
