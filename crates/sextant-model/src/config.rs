//! The shape of a backbone of any family.

use crate::{BlockConfig, ModelError};
use serde::{Deserialize, Serialize};

/// A backbone family, which stands for a [`BlockConfig`] and a table of weight names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// BERT and what shares its shape (MiniLM, TinyBERT): learned positions, post-LayerNorm, erf-GELU.
    Bert,
    /// RoBERTa: BERT's block; positions are counted from the padding id plus 1, and there is one segment.
    Roberta,
    /// XLM-RoBERTa, on which BGE-M3 and bge-reranker are based: RoBERTa with another vocabulary.
    XlmRoberta,
    /// ELECTRA: BERT's block; embeddings may be narrower than the blocks.
    Electra,
    /// DistilBERT: BERT's block without segments.
    Distilbert,
    /// ModernBERT: rotary positions, gated MLP, pre-norm, alternating global and local attention.
    Modernbert,
    /// DeBERTa v2 and v3: BERT's block with disentangled relative positions.
    DebertaV2,
    /// Llama 2 and 3, SmolLM2: causal, rotary positions, RMSNorm before sublayers, gated MLP.
    Llama,
    /// Mistral: Llama, with a window in every layer if its `config.json` states one.
    Mistral,
    /// Qwen 2 and 2.5: Llama with biases on queries, keys and values.
    Qwen2,
    /// Qwen 3: Llama with norms over each head's queries and keys.
    Qwen3,
    /// Gemma 1: Llama with GELU, norms that scale by one plus the weight, and scaled embeddings.
    Gemma,
    /// Gemma 2: norms around sublayers, capped scores, a window in every other layer.
    Gemma2,
    /// Gemma 3 (text): norms over queries and keys, a window and another rotary base in five of six
    /// layers.
    #[serde(rename = "gemma3_text")]
    Gemma3,
}

/// The activation of the dense layer before the head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenseActivation {
    /// Tanh: BERT's pooler, RoBERTa's head.
    #[default]
    Tanh,
    /// GELU by `erf`: ELECTRA, ModernBERT, DeBERTa.
    Gelu,
    /// ReLU: DistilBERT.
    Relu,
}

/// The dense layer before the head, where the model has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseConfig {
    /// The layer's activation.
    pub activation: DenseActivation,
    /// Whether the layer has a bias.
    pub bias: bool,
    /// Whether a norm of the backbone's kind follows the layer.
    pub norm: bool,
}

impl Default for DenseConfig {
    fn default() -> Self {
        Self { activation: DenseActivation::Tanh, bias: true, norm: false }
    }
}

/// The sizes and options of a backbone. Keys that are absent have BERT's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "independent options, as files state them")]
pub struct BackboneConfig {
    /// The family that the backbone belongs to.
    pub family: Family,
    /// The number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// The number of transformer blocks.
    pub layers: usize,
    /// The number of attention heads.
    pub attention_heads: usize,
    /// Width inside the MLP.
    pub intermediate_size: usize,
    /// The most tokens that a row may have.
    pub max_positions: usize,
    /// The number of rows of the segment (token type) table; 0 if there is no such table.
    pub segment_types: usize,
    /// The constant that every norm adds to the variance.
    pub norm_eps: f64,
    /// Probability with which an entry of a hidden state is dropped in training.
    pub hidden_dropout: f32,
    /// Probability with which an attention weight is dropped in training.
    pub attention_dropout: f32,
    /// The width of the embedding tables, if it differs from `hidden_size`; then a linear layer follows the
    /// embeddings.
    #[serde(default, skip_serializing_if = "is_default")]
    pub embedding_size: Option<usize>,
    /// The row of the position table that a row's first token uses (RoBERTa).
    #[serde(default, skip_serializing_if = "is_default")]
    pub position_offset: usize,
    /// Whether the backbone has no table of positions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub positions_absent: bool,
    /// Whether no norm follows the embeddings.
    #[serde(default, skip_serializing_if = "is_default")]
    pub embedding_norm_absent: bool,
    /// The factor by which word embeddings are multiplied, if there is one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub embedding_scale: Option<f32>,
    /// Whether a norm follows the last block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub final_norm: bool,
    /// The standard deviation of random initial weights; 0.02 unless stated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub initializer_range: Option<f32>,
    /// Whether heads have no bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub head_bias_absent: bool,
    /// The dense layer before the head.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dense: DenseConfig,
    /// The options of the blocks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub block: BlockConfig,
}

/// The largest size that is accepted, chosen so that sums and products of a few sizes do not overflow.
const LARGEST_SIZE: usize = 1 << 28;
/// The most layers that are accepted, several times as many as the deepest models have. A bound is needed
/// because lists of layers are built before the stated sizes are compared with the weights.
pub(crate) const MOST_LAYERS: usize = 4096;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl BackboneConfig {
    /// A small BERT for training from scratch, as the demo and the tests use it.
    pub fn small(vocab_size: usize) -> Self {
        Self {
            family: Family::Bert,
            vocab_size,
            hidden_size: 128,
            layers: 3,
            attention_heads: 4,
            intermediate_size: 256,
            max_positions: 128,
            segment_types: 2,
            norm_eps: 1e-12,
            hidden_dropout: 0.0,
            attention_dropout: 0.0,
            embedding_size: None,
            position_offset: 0,
            positions_absent: false,
            embedding_norm_absent: false,
            embedding_scale: None,
            final_norm: false,
            initializer_range: None,
            head_bias_absent: false,
            dense: DenseConfig::default(),
            block: BlockConfig::default(),
        }
    }

    /// Width of one attention head.
    pub fn head_dim(&self) -> usize {
        self.block.head_dim.unwrap_or(self.hidden_size / self.attention_heads)
    }

    /// The number of key and value heads.
    pub fn key_value_heads(&self) -> usize {
        self.block.key_value_heads.unwrap_or(self.attention_heads)
    }

    /// Width of the embedding tables.
    pub fn embedding_width(&self) -> usize {
        self.embedding_size.unwrap_or(self.hidden_size)
    }

    /// A lower bound on how many numbers a model of these sizes has: those of the embedding tables and of the
    /// blocks' matrices. A configuration that needs more numbers than the file beside it can hold is wrong,
    /// and its model is not built.
    pub(crate) fn least_numbers(&self) -> u128 {
        let wide = |size: usize| size as u128;
        let hidden = wide(self.hidden_size);
        let heads = wide(self.head_dim());
        let attention = 2 * hidden * heads * wide(self.attention_heads)
            + 2 * hidden * heads * wide(self.key_value_heads());
        let mlp = if self.block.mlp_gated { 3 } else { 2 } * hidden * wide(self.intermediate_size);
        let positions = if self.positions_absent { 0 } else { self.max_positions };
        let rows = wide(self.vocab_size) + wide(positions) + wide(self.segment_types);
        let relative = self.block.relative.map_or(0, |relative| 2 * wide(relative.span));
        rows * wide(self.embedding_width())
            + relative * hidden
            + wide(self.layers) * (attention + mlp)
    }

    /// Whether two configurations are equal up to the rounding of their numbers to `f32`, in which GGUF files
    /// store them.
    pub(crate) fn is_close_to(&self, other: &Self) -> bool {
        fn close(a: &serde_json::Value, b: &serde_json::Value) -> bool {
            use serde_json::Value::{Array, Number, Object};
            match (a, b) {
                (Number(_), Number(_)) => {
                    let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
                    (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
                }
                (Array(a), Array(b)) => {
                    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b))
                }
                (Object(a), Object(b)) => {
                    let same = |(key, a)| b.get(key).is_some_and(|b| close(a, b));
                    a.len() == b.len() && a.iter().all(same)
                }
                _ => a == b,
            }
        }
        match (serde_json::to_value(self), serde_json::to_value(other)) {
            (Ok(a), Ok(b)) => close(&a, &b),
            _ => false,
        }
    }

    /// Checks that the sizes fit together; the error names the key.
    pub fn validate(&self) -> Result<(), ModelError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("layers", self.layers),
            ("attention_heads", self.attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_positions", self.max_positions),
            ("embedding_size", self.embedding_width()),
        ];
        let may_be_absent = [
            ("position_offset", self.position_offset),
            ("segment_types", self.segment_types),
            ("head_dim", self.block.head_dim.unwrap_or(0)),
            ("key_value_heads", self.block.key_value_heads.unwrap_or(0)),
            ("relative.span", self.block.relative.map_or(0, |relative| relative.span)),
        ];
        for (key, value) in sizes {
            if value == 0 {
                return Err(ModelError::Config(format!("`{key}` is 0; it must be at least 1")));
            }
        }
        for (key, value) in sizes.into_iter().chain(may_be_absent) {
            if value > LARGEST_SIZE {
                return Err(ModelError::Config(format!(
                    "`{key}` is {value}; no model is larger than {LARGEST_SIZE} in any direction"
                )));
            }
        }
        if self.layers > MOST_LAYERS {
            return Err(ModelError::Config(format!(
                "`layers` is {}; no model has more than {MOST_LAYERS}",
                self.layers
            )));
        }
        if self.block.head_dim.is_none() && !self.hidden_size.is_multiple_of(self.attention_heads) {
            return Err(ModelError::Config(format!(
                "`hidden_size` {} is not a multiple of `attention_heads` {}",
                self.hidden_size, self.attention_heads
            )));
        }
        if self.block.rotary.is_some() && !self.head_dim().is_multiple_of(2) {
            return Err(ModelError::Config(format!(
                "rotary positions turn pairs of numbers, but heads have {}",
                self.head_dim()
            )));
        }
        for (key, p) in
            [("hidden_dropout", self.hidden_dropout), ("attention_dropout", self.attention_dropout)]
        {
            if !(0.0..1.0).contains(&p) {
                return Err(ModelError::Config(format!("`{key}` {p} is not in [0, 1)")));
            }
        }
        if let Some(range) = self.initializer_range
            && !(range > 0.0 && range.is_finite())
        {
            return Err(ModelError::Config(format!("`initializer_range` {range} is not positive")));
        }
        if !(self.norm_eps > 0.0 && self.norm_eps.is_finite()) {
            return Err(ModelError::Config(format!(
                "`norm_eps` {} is not positive",
                self.norm_eps
            )));
        }
        self.block.validate(self.attention_heads)
    }
}
