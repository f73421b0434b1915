//! The part of a model that belongs to one task: private blocks, a dense layer if there is one, and the head.

use crate::block::BlockContext;
use crate::layers::zeros;
use crate::mixture::TaskLevel;
use crate::{Block, DenseActivation, ForwardContext, HeadKind, Linear, ModelSpec, Norm, Pooling};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use sextant_kernels::{self as kernels, Activation};

/// A task's private blocks and head. A model whose tasks share a head has a single branch.
#[derive(Module, Debug)]
pub struct Branch {
    /// The private blocks, lowest first; empty if the routing has none.
    pub layers: Vec<Block>,
    /// The backbone's final norm, if the backbone has one and the branch has private blocks.
    pub norm: Option<Norm>,
    /// The task's part of each level of a mixture of experts; empty without a mixture.
    pub task_mixture: Vec<TaskLevel>,
    /// A layer before the head, such as BERT's pooler.
    pub dense: Option<Linear>,
    /// The norm after the dense layer (ModernBERT).
    pub dense_norm: Option<Norm>,
    /// The layer that computes the logits: `[hidden, 3]`, or `[hidden, 1]` for a cumulative head.
    pub classifier: Linear,
    /// For a cumulative head: the distance, before softplus, of the second threshold from the first; `[1]`.
    pub step: Option<Param<Tensor<1>>>,
    #[module(skip)]
    dense_activation: DenseActivation,
    #[module(skip)]
    dropout: f32,
}

/// The distance between the two thresholds of a new cumulative head, whose middle is at a score of 0. What lies in the
/// middle is then partially relevant with a probability of 0.76. If the thresholds began at one place, the middle grade
/// would not be the most probable one of any row before they are log 4 apart, which at the usual learning rates takes
/// longer than most trainings: they are single numbers, and AdamW moves a number by about the rate in a step.
pub(crate) const THRESHOLDS_APART: f32 = 4.0;

impl Branch {
    /// The value of [`Self::step`] before softplus at which thresholds are [`THRESHOLDS_APART`].
    pub(crate) fn initial_step() -> f32 {
        THRESHOLDS_APART.exp_m1().ln()
    }

    /// A branch of zeros, to be initialised or loaded; `name` is the branch's name in parameter paths.
    pub fn zeros(spec: &ModelSpec, name: &str, device: &Device) -> Self {
        let cumulative = spec.head == HeadKind::Cumulative;
        let (backbone, hidden) = (&spec.backbone, spec.backbone.hidden_size);
        let dense = backbone.dense;
        // The bias of a cumulative head is its first threshold.
        let bias = cumulative || !backbone.head_bias_absent;
        let private = spec.routing.private_layers;
        let first = spec.routing.trunk_layers(backbone.layers);
        let outputs = if cumulative { 1 } else { spec.head.outputs() };
        Self {
            layers: (first..first + private)
                .enumerate()
                .map(|(place, layer)| {
                    let path = format!("branches.{name}.layers.{place}");
                    Block::zeros(backbone, layer, spec.private_lora(), &path, device)
                })
                .collect(),
            norm: (backbone.final_norm && private > 0)
                .then(|| Norm::zeros(backbone, hidden, device)),
            task_mixture: spec
                .routing
                .mixture
                .map_or_else(Vec::new, |mixture| TaskLevel::zeros(&mixture, hidden, device)),
            dense: spec.dense.then(|| Linear::zeros(hidden, hidden, dense.bias, device)),
            dense_norm: (spec.dense && dense.norm).then(|| Norm::zeros(backbone, hidden, device)),
            classifier: Linear::zeros(hidden, outputs, bias, device),
            step: cumulative.then(|| zeros([1], device)),
            dense_activation: dense.activation,
            dropout: spec.head_dropout,
        }
    }

    /// The logits of pooled rows: maps `[rows, hidden]` to `[rows, outputs]` (see [`HeadKind`]).
    pub fn logits(&self, pooled: Tensor<2>, ctx: &ForwardContext) -> Tensor<2> {
        let mut x = pooled;
        if let Some(dense) = &self.dense {
            x =
                match self.dense_activation {
                    DenseActivation::Tanh => dense.forward(x, Activation::Tanh, ctx),
                    DenseActivation::Gelu => dense.forward(x, Activation::Gelu, ctx),
                    DenseActivation::Relu => activation::relu(kernels::composed::full(
                        dense.forward(x, Activation::None, ctx),
                    )),
                };
        }
        if let Some(norm) = &self.dense_norm {
            x = norm.forward(x);
        }
        if let Some(dropout) = ctx.dropout(self.dropout) {
            x = kernels::dropout(x, dropout);
        }
        // The head is always computed in full precision: it is a thousandth of the work.
        let weight = self.classifier.weight.val();
        let logits = kernels::linear(
            x,
            weight,
            self.classifier.bias(),
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

/// Runs blocks, applies the final norm if there is one, and pools: maps `[tokens, hidden]` to
/// `[rows, hidden]`.
///
/// If pooling reads a single token of each row, the last block computes its output for those tokens only.
pub(crate) fn run_and_pool(
    blocks: &[Block],
    norm: Option<&Norm>,
    mut x: Tensor<2>,
    pooling: Pooling,
    ctx: BlockContext<'_>,
) -> Tensor<2> {
    let keep = pooling.tokens(ctx.segments, &x.device());
    let keep = match ctx.shared {
        Some(shared) => keep.map(|tokens| shared.nodes_of(tokens)),
        None => keep,
    };
    // A pass that keeps the last block's output needs it for all tokens.
    let early = blocks.last().is_some_and(|last| !last.is_kept(ctx.pass));
    for (i, block) in blocks.iter().enumerate() {
        let keep = if early && i + 1 == blocks.len() { keep.as_ref() } else { None };
        x = block.forward(x, keep, ctx);
    }
    if let (Some(tokens), false) = (&keep, early) {
        x = x.select(0, tokens.clone());
    }
    if let Some(norm) = norm {
        x = norm.forward(x);
    }
    if keep.is_some() {
        x
    } else {
        let x = match ctx.shared {
            Some(shared) => shared.whole(x),
            None => x,
        };
        Pooling::mean(x, ctx.segments)
    }
}
