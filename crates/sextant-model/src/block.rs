//! The transformer block. There is one; families differ by its configuration.

use crate::block_config::PROJECTIONS;
use crate::families::Format;
use crate::layers::add;
use crate::projection::Build;
use crate::{
    BackboneConfig, ForwardContext, LoraConfig, Norm, NormPlace, PackInput, Projection,
    SharedPrefixes,
};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use sextant_kernels::{
    self as kernels, Activation, AttentionSpec, Mask, RelativePositions, Rotary, Segments,
};

/// Self-attention and an MLP, each with a residual sum; see [`BlockConfig`](crate::BlockConfig) for
/// what families choose. Parts that the configuration leaves out are absent.
#[derive(Module, Debug)]
pub struct Block {
    /// The norm before attention.
    pub attention_input_norm: Option<Norm>,
    /// The projections to queries, keys and values, as one product:
    /// `[hidden, (heads + 2 · kv_heads) · head_dim]`.
    pub qkv: Projection,
    /// The norm of each head's queries.
    pub query_norm: Option<Norm>,
    /// The norm of each head's keys.
    pub key_norm: Option<Norm>,
    /// The projection from the heads back to the residual stream: `[heads · head_dim, hidden]`.
    pub attention_output: Projection,
    /// The norm after attention, applied to the residual sum or before that sum ([`NormPlace`]).
    pub attention_norm: Option<Norm>,
    /// The norm before the MLP.
    pub mlp_input_norm: Option<Norm>,
    /// The MLP's first projection: `[hidden, inner]`, or `[hidden, 2 · inner]` where the MLP is gated.
    pub up: Projection,
    /// The MLP's second projection: `[inner, hidden]`.
    pub down: Projection,
    /// The norm after the MLP, applied to the residual sum or before that sum ([`NormPlace`]).
    pub output_norm: Option<Norm>,
    #[module(skip)]
    options: Options,
}

/// The settings of a block that are not parameters.
#[derive(Debug, Clone)]
struct Options {
    /// The block's place in the backbone, from 1.
    layer: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    scale: f32,
    soft_cap: Option<f32>,
    mask: Mask,
    rotary: Option<Rotary>,
    relative: Option<RelativePositions>,
    activation: Activation,
    gated: bool,
    place: NormPlace,
    hidden_dropout: f32,
    attention_dropout: f32,
}

/// What the blocks of one forward pass share.
#[derive(Debug, Clone, Copy)]
pub struct BlockContext<'a> {
    /// The rows of the pack.
    pub segments: &'a Segments,
    /// Which rows share leading tokens. If this is set, a block's input has one vector for each distinct
    /// token instead of one for each token of the rows.
    pub shared: Option<&'a SharedPrefixes>,
    /// The embeddings of relative positions, for families that have them: `[2 · span, hidden]`.
    pub relative: Option<&'a Tensor<2>>,
    /// Precision and dropout.
    pub pass: &'a ForwardContext,
}

impl<'a> BlockContext<'a> {
    /// The context of a pass over all rows of a pack.
    pub(crate) fn new(
        input: &'a PackInput,
        relative: Option<&'a Tensor<2>>,
        pass: &'a ForwardContext,
    ) -> Self {
        Self { segments: &input.segments, shared: input.shared.as_ref(), relative, pass }
    }
}

impl Block {
    /// The block's linear layers by name.
    pub(crate) fn projections(&self) -> [(&'static str, &Projection); 4] {
        let all = [&self.qkv, &self.attention_output, &self.up, &self.down];
        std::array::from_fn(|i| (PROJECTIONS[i], all[i]))
    }

    pub(crate) fn projections_mut(&mut self) -> [(&'static str, &mut Projection); 4] {
        let [qkv, attention_output, up, down] = PROJECTIONS;
        [
            (qkv, &mut self.qkv),
            (attention_output, &mut self.attention_output),
            (up, &mut self.up),
            (down, &mut self.down),
        ]
    }

    /// A block of zeros, to be initialised or loaded. `layer` is the index of the block in the backbone
    /// and `path` its parameter path in the model. If there is a `lora`, the linear layers are frozen and
    /// adapted.
    pub fn zeros(
        config: &BackboneConfig,
        layer: usize,
        lora: Option<&LoraConfig>,
        path: &str,
        device: &Device,
    ) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (heads, kv_heads) = (config.attention_heads, config.key_value_heads());
        let head_dim = config.head_dim();
        let block = &config.block;
        let (biases, place) = (block.biases, block.norm_place);
        let norm = |wanted: bool, width| wanted.then(|| Norm::zeros(config, width, device));
        let before = place != NormPlace::Post;
        let after = place != NormPlace::Pre;
        let first = layer == 0 && block.first_norm_absent;
        let columns = if block.mlp_gated { 2 * inner } else { inner };
        let format = Format::of(config.family);
        let parts = |name: &str, outputs| format.parts(config, layer, name, outputs);
        let build = Build { lora, parts: &parts, path, device };
        Self {
            attention_input_norm: norm(before && !first, hidden),
            qkv: build.projection("qkv", hidden, (heads + 2 * kv_heads) * head_dim, biases.qkv),
            query_norm: norm(block.query_key_norm, head_dim),
            key_norm: norm(block.query_key_norm, head_dim),
            attention_output: build.projection(
                "attention_output",
                heads * head_dim,
                hidden,
                biases.attention_output,
            ),
            attention_norm: norm(after, hidden),
            mlp_input_norm: norm(before, hidden),
            up: build.projection("up", hidden, columns, biases.mlp),
            down: build.projection("down", inner, hidden, biases.mlp),
            output_norm: norm(after, hidden),
            options: Options {
                layer: layer + 1,
                heads,
                kv_heads,
                head_dim,
                scale: block.attention_scale.unwrap_or(1.0 / (head_dim as f32).sqrt()),
                soft_cap: block.attention_soft_cap,
                mask: block.mask(layer),
                rotary: block.rotary(layer, head_dim),
                relative: block
                    .relative
                    .map(|relative| RelativePositions::new(relative.span, relative.bucketed_up_to)),
                activation: block.mlp_activation.kernel(),
                gated: block.mlp_gated,
                place,
                hidden_dropout: config.hidden_dropout,
                attention_dropout: config.attention_dropout,
            },
        }
    }

    /// Maps `[tokens, hidden]` to `[tokens, hidden]`. If `keep` lists the tokens that later steps read, the
    /// result is `[keep, hidden]`: attention is computed for all tokens, and everything after it only for
    /// those in `keep`.
    pub fn forward(
        &self,
        x: Tensor<2>,
        keep: Option<&Tensor<1, Int>>,
        ctx: BlockContext<'_>,
    ) -> Tensor<2> {
        let pass = ctx.pass;
        let mut attended = self.attend(before(self.attention_input_norm.as_ref(), &x, pass), ctx);
        let mut residual = x;
        if let Some(tokens) = keep {
            attended = attended.select(0, tokens.clone());
            residual = residual.select(0, tokens.clone());
        }
        let output = self.attention_output.forward(attended, Activation::None, pass);
        let x = self.sum(output, residual, self.attention_norm.as_ref(), pass);
        let inner = before(self.mlp_input_norm.as_ref(), &x, pass);
        let inner = if self.options.gated {
            let both = self.up.forward(inner, Activation::None, pass);
            kernels::gated(both, self.options.activation)
        } else {
            self.up.forward(inner, self.options.activation, pass)
        };
        let output = self.down.forward(inner, Activation::None, pass);
        let output = self.sum(output, x, self.output_norm.as_ref(), pass);
        if let Some(layers) = pass.layers() {
            layers.keep_hidden(self.options.layer, &output);
        }
        output
    }

    /// Whether a pass keeps the block's output for all tokens.
    pub(crate) fn is_kept(&self, pass: &ForwardContext) -> bool {
        pass.layers().is_some_and(|layers| layers.wants_hidden(self.options.layer))
    }

    /// The outputs of the attention heads, `[tokens, heads · head_dim]`.
    fn attend(&self, x: Tensor<2>, ctx: BlockContext<'_>) -> Tensor<2> {
        let pass = ctx.pass;
        let options = &self.options;
        let spec = AttentionSpec {
            heads: options.heads,
            kv_heads: options.kv_heads,
            head_dim: options.head_dim,
            scale: options.scale,
            mask: options.mask,
            dropout: pass.dropout(options.attention_dropout),
        };
        let mut qkv = self.qkv.forward(x, Activation::None, pass);
        if let (Some(query_norm), Some(key_norm)) = (&self.query_norm, &self.key_norm) {
            qkv = norm_heads(qkv, query_norm, key_norm, &spec, pass);
        }
        match ctx.shared {
            Some(shared) => shared.distinct(self.gather(shared.whole(qkv), &spec, ctx)),
            None => self.gather(qkv, &spec, ctx),
        }
    }

    /// Attention over whole rows: from queries, keys and values to the outputs of the heads.
    fn gather(&self, mut qkv: Tensor<2>, spec: &AttentionSpec, ctx: BlockContext<'_>) -> Tensor<2> {
        let BlockContext { segments, relative, pass, .. } = ctx;
        let options = &self.options;
        if let Some(rotary) = &options.rotary {
            qkv = kernels::rotary(qkv, segments, spec, rotary);
        }
        if let (Some(positions), Some(table)) = (&options.relative, relative) {
            // The embeddings of relative positions go through the same projections to queries and keys as the
            // tokens do. Only those of distances that occur in rows of this length are needed.
            let columns = 2 * spec.width();
            let used = positions.used(segments.max_len());
            let table = table.clone().narrow(0, *used.start(), used.count());
            let projected = match &self.qkv.weight {
                Some(weight) => {
                    let weight = weight.val().narrow(1, 0, columns);
                    let bias = self.qkv.bias().map(|bias| bias.narrow(0, 0, columns));
                    kernels::linear(table, weight, bias, Activation::None, pass.precision())
                }
                None => self.qkv.forward(table, Activation::None, pass).narrow(1, 0, columns),
            };
            return kernels::relative_attention(qkv, projected, segments, spec, positions);
        }
        if let Some(layers) = pass.layers() {
            layers.keep_attention(options.layer, &qkv, spec, options.soft_cap);
        }
        match options.soft_cap {
            Some(cap) => kernels::capped_attention(qkv, segments, spec, cap),
            None => kernels::attention(qkv, segments, spec),
        }
    }

    /// The residual sum, with the norm that is applied to it or before it.
    fn sum(
        &self,
        x: Tensor<2>,
        residual: Tensor<2>,
        norm: Option<&Norm>,
        pass: &ForwardContext,
    ) -> Tensor<2> {
        let dropout = pass.dropout(self.options.hidden_dropout);
        match (self.options.place, norm) {
            (NormPlace::Post, Some(norm)) => norm.forward_sum(x, Some(residual), dropout),
            (NormPlace::Both, Some(norm)) => add(norm.forward(x), Some(residual), dropout),
            _ => add(x, Some(residual), dropout),
        }
    }
}

/// The input of a sublayer, normalised if the block has a norm before that sublayer.
fn before(norm: Option<&Norm>, x: &Tensor<2>, pass: &ForwardContext) -> Tensor<2> {
    match norm {
        Some(norm) => norm.forward_kept(x.clone(), pass),
        None => x.clone(),
    }
}

/// Normalises each head's queries and keys, which lie side by side with the values in `qkv`.
fn norm_heads(
    qkv: Tensor<2>,
    query_norm: &Norm,
    key_norm: &Norm,
    spec: &AttentionSpec,
    pass: &ForwardContext,
) -> Tensor<2> {
    let [tokens, columns] = qkv.dims();
    let (dim, queries) = (spec.head_dim, spec.width());
    let keys = spec.kv_heads * dim;
    let heads = |first, width: usize, norm: &Norm| {
        let part = qkv.clone().narrow(1, first, width).reshape([tokens * width / dim, dim]);
        norm.forward_kept(part, pass).reshape([tokens, width])
    };
    let values = qkv.clone().narrow(1, queries + keys, columns - queries - keys);
    Tensor::cat(vec![heads(0, queries, query_norm), heads(queries, keys, key_norm), values], 1)
}
