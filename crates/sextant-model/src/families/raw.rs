//! The keys of `config.json` that BERT shares with the families whose code is derived from it.

use super::config_file::ConfigFile;
use crate::{BackboneConfig, Family, ModelError};
use serde::Deserialize;
use serde_json::{Value, json};

/// The shared keys. A key that is absent has the default of `transformers`.
#[derive(Deserialize)]
pub(super) struct Raw {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) max_position_embeddings: usize,
    #[serde(default = "two")]
    pub(super) type_vocab_size: usize,
    #[serde(default = "small")]
    pub(super) layer_norm_eps: f64,
    #[serde(default = "tenth")]
    pub(super) hidden_dropout_prob: f32,
    #[serde(default = "tenth")]
    pub(super) attention_probs_dropout_prob: f32,
    #[serde(default = "gelu")]
    pub(super) hidden_act: String,
    #[serde(default = "absolute")]
    pub(super) position_embedding_type: String,
    pub(super) embedding_size: Option<usize>,
    pub(super) pad_token_id: Option<usize>,
}

fn two() -> usize {
    2
}

fn small() -> f64 {
    1e-12
}

fn tenth() -> f32 {
    0.1
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Raw {
    /// Reads the keys, and refuses values that are invalid or that no family here supports.
    pub(super) fn read(file: &ConfigFile) -> Result<Self, ModelError> {
        let raw: Self = file.keys()?;
        file.require_encoder()?;
        file.require("hidden_act", &raw.hidden_act, "gelu")?;
        file.require("position_embedding_type", &raw.position_embedding_type, "absolute")?;
        file.require_sizes(&[
            ("vocab_size", raw.vocab_size),
            ("hidden_size", raw.hidden_size),
            ("num_hidden_layers", raw.num_hidden_layers),
            ("num_attention_heads", raw.num_attention_heads),
            ("intermediate_size", raw.intermediate_size),
            ("max_position_embeddings", raw.max_position_embeddings),
            ("embedding_size", raw.embedding_size.unwrap_or(1)),
        ])?;
        file.require_depth(("num_hidden_layers", raw.num_hidden_layers))?;
        let heads = ("num_attention_heads", raw.num_attention_heads);
        file.require_divides(heads, ("hidden_size", raw.hidden_size))?;
        file.require_positive("layer_norm_eps", Some(raw.layer_norm_eps))?;
        file.require_shares(&[
            ("hidden_dropout_prob", raw.hidden_dropout_prob),
            ("attention_probs_dropout_prob", raw.attention_probs_dropout_prob),
        ])?;
        Ok(raw)
    }

    /// A backbone of BERT's blocks with these sizes.
    pub(super) fn backbone(&self, family: Family) -> BackboneConfig {
        BackboneConfig {
            family,
            hidden_size: self.hidden_size,
            layers: self.num_hidden_layers,
            attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            max_positions: self.max_position_embeddings,
            segment_types: self.type_vocab_size,
            norm_eps: self.layer_norm_eps,
            hidden_dropout: self.hidden_dropout_prob,
            attention_dropout: self.attention_probs_dropout_prob,
            embedding_size: self.embedding_size.filter(|&size| size != self.hidden_size),
            ..BackboneConfig::small(self.vocab_size)
        }
    }
}

/// The keys of a backbone of BERT's blocks, for export.
pub(super) fn write(config: &BackboneConfig) -> Value {
    json!({
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.attention_heads,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.position_offset + config.max_positions,
        "type_vocab_size": config.segment_types,
        "layer_norm_eps": config.norm_eps,
        "hidden_dropout_prob": config.hidden_dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "hidden_act": "gelu",
    })
}
