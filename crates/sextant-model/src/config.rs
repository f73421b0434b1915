//! The shape of a backbone, whatever family it is of.

use crate::ModelError;
use serde::{Deserialize, Serialize};

/// A backbone family: a spelling of the one block and a table of weight names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// BERT and what shares its shape (MiniLM, TinyBERT): learned positions, post-LayerNorm, erf-GELU.
    Bert,
}

/// The sizes of a backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneConfig {
    /// Which family it is of.
    pub family: Family,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads; `hidden_size` is a multiple of it.
    pub attention_heads: usize,
    /// Width inside the MLP.
    pub intermediate_size: usize,
    /// Longest row in tokens that the position table can hold.
    pub max_positions: usize,
    /// Entries of the segment (token type) table.
    pub segment_types: usize,
    /// Added to the variance in every LayerNorm.
    pub norm_eps: f64,
    /// Probability with which an entry of a hidden state is dropped in training.
    pub hidden_dropout: f32,
    /// Probability with which an attention weight is dropped in training.
    pub attention_dropout: f32,
}

impl BackboneConfig {
    /// A small BERT for training from scratch: what the demo and the tests use.
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
        }
    }

    /// Width of one attention head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.attention_heads
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
            ("segment_types", self.segment_types),
        ];
        for (key, value) in sizes {
            if value == 0 {
                return Err(ModelError::Config(format!("`{key}` is 0; it must be at least 1")));
            }
        }
        if !self.hidden_size.is_multiple_of(self.attention_heads) {
            return Err(ModelError::Config(format!(
                "`hidden_size` {} is not a multiple of `attention_heads` {}",
                self.hidden_size, self.attention_heads
            )));
        }
        for (key, p) in
            [("hidden_dropout", self.hidden_dropout), ("attention_dropout", self.attention_dropout)]
        {
            if !(0.0..1.0).contains(&p) {
                return Err(ModelError::Config(format!("`{key}` {p} is not in [0, 1)")));
            }
        }
        if !(self.norm_eps > 0.0 && self.norm_eps.is_finite()) {
            return Err(ModelError::Config(format!(
                "`norm_eps` {} is not positive",
                self.norm_eps
            )));
        }
        Ok(())
    }
}
