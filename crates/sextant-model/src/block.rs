//! The transformer block. There is one; families differ by its configuration.

use crate::{BackboneConfig, ForwardContext, LayerNorm, Linear};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use sextant_kernels::{self as kernels, Activation, AttentionSpec, Mask, Segments};

/// Self-attention and an MLP, each followed by residual and LayerNorm (post-norm).
#[derive(Module, Debug)]
pub struct Block {
    /// Queries, keys and values in one product: `[hidden, 3 · hidden]`.
    pub qkv: Linear,
    /// From the heads back to the residual stream.
    pub attention_output: Linear,
    /// After attention.
    pub attention_norm: LayerNorm,
    /// Into the MLP.
    pub up: Linear,
    /// Out of the MLP.
    pub down: Linear,
    /// After the MLP.
    pub output_norm: LayerNorm,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    hidden_dropout: f32,
    #[module(skip)]
    attention_dropout: f32,
}

impl Block {
    /// A block of zeros, to be initialised or loaded.
    pub fn zeros(config: &BackboneConfig, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let norm = || LayerNorm::zeros(hidden, config.norm_eps, device);
        Self {
            qkv: Linear::zeros(hidden, 3 * hidden, device),
            attention_output: Linear::zeros(hidden, hidden, device),
            attention_norm: norm(),
            up: Linear::zeros(hidden, inner, device),
            down: Linear::zeros(inner, hidden, device),
            output_norm: norm(),
            heads: config.attention_heads,
            hidden_dropout: config.hidden_dropout,
            attention_dropout: config.attention_dropout,
        }
    }

    /// `[tokens, hidden]` to `[tokens, hidden]`, or to `[keep, hidden]` where `keep` names the tokens
    /// that anything later reads: all tokens are attended to, only those are finished.
    pub fn forward(
        &self,
        x: Tensor<2>,
        segments: &Segments,
        keep: Option<&Tensor<1, Int>>,
        ctx: &ForwardContext,
    ) -> Tensor<2> {
        let head_dim = x.dims()[1] / self.heads;
        let spec = AttentionSpec {
            heads: self.heads,
            kv_heads: self.heads,
            head_dim,
            scale: 1.0 / (head_dim as f32).sqrt(),
            mask: Mask::Bidirectional,
            dropout: ctx.dropout(self.attention_dropout),
        };
        let qkv = self.qkv.forward(x.clone(), Activation::None, ctx);
        let mut attended = kernels::attention(qkv, segments, &spec);
        let mut residual = x;
        if let Some(tokens) = keep {
            attended = attended.select(0, tokens.clone());
            residual = residual.select(0, tokens.clone());
        }
        let output = self.attention_output.forward(attended, Activation::None, ctx);
        let x =
            self.attention_norm.forward(output, Some(residual), ctx.dropout(self.hidden_dropout));
        let inner = self.up.forward(x.clone(), Activation::Gelu, ctx);
        let output = self.down.forward(inner, Activation::None, ctx);
        self.output_norm.forward(output, Some(x), ctx.dropout(self.hidden_dropout))
    }
}
