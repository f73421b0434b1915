//! BERT, and what shares its shape: MiniLM, TinyBERT.

use super::Source;
use crate::{Archive, BackboneConfig, Family, ModelError};
use serde::Deserialize;
use std::path::Path;

/// What we read of a `config.json` of `model_type` `bert`.
#[derive(Deserialize)]
struct Raw {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    #[serde(default = "default_eps")]
    layer_norm_eps: f64,
    #[serde(default = "default_dropout")]
    hidden_dropout_prob: f32,
    #[serde(default = "default_dropout")]
    attention_probs_dropout_prob: f32,
    #[serde(default = "default_act")]
    hidden_act: String,
    #[serde(default = "default_positions")]
    position_embedding_type: String,
}

fn default_eps() -> f64 {
    1e-12
}

fn default_dropout() -> f32 {
    0.1
}

fn default_act() -> String {
    "gelu".to_owned()
}

fn default_positions() -> String {
    "absolute".to_owned()
}

/// Reads the sizes. Defaults are those of `transformers`' `BertConfig`.
pub(super) fn config(json: serde_json::Value, path: &Path) -> Result<BackboneConfig, ModelError> {
    let raw: Raw = serde_json::from_value(json)
        .map_err(|error| ModelError::Json { path: path.to_owned(), reason: error.to_string() })?;
    for (key, found, known) in [
        ("hidden_act", &raw.hidden_act, "gelu"),
        ("position_embedding_type", &raw.position_embedding_type, "absolute"),
    ] {
        if found != known {
            return Err(ModelError::Json {
                path: path.to_owned(),
                reason: format!("`{key}` is `{found}`; supported for BERT: `{known}`"),
            });
        }
    }
    Ok(BackboneConfig {
        family: Family::Bert,
        vocab_size: raw.vocab_size,
        hidden_size: raw.hidden_size,
        layers: raw.num_hidden_layers,
        attention_heads: raw.num_attention_heads,
        intermediate_size: raw.intermediate_size,
        max_positions: raw.max_position_embeddings,
        segment_types: raw.type_vocab_size,
        norm_eps: raw.layer_norm_eps,
        hidden_dropout: raw.hidden_dropout_prob,
        attention_dropout: raw.attention_probs_dropout_prob,
    })
}

/// `BertModel` saves plain names; models with a head on top save them under `bert.`.
pub(super) fn prefix(archive: &Archive) -> &'static str {
    if archive.names().any(|name| name.starts_with("bert.")) { "bert." } else { "" }
}

/// Parts of a checkpoint that a relevance model replaces: pretraining and classification heads, and
/// the pooler where no dense layer is asked for.
pub(super) fn ignores(name: &str) -> bool {
    ["cls.", "classifier.", "pooler."].iter().any(|part| name.starts_with(part))
}

/// The name table.
pub(super) fn source(canonical: &str) -> Option<Source> {
    let plain = |name: &str| Some(Source::Plain(name.to_owned()));
    match canonical {
        "embeddings.word" => return plain("embeddings.word_embeddings.weight"),
        "embeddings.position" => return plain("embeddings.position_embeddings.weight"),
        "embeddings.segment" => return plain("embeddings.token_type_embeddings.weight"),
        "embeddings.norm.gamma" => return plain("embeddings.LayerNorm.weight"),
        "embeddings.norm.beta" => return plain("embeddings.LayerNorm.bias"),
        "dense.weight" => return Some(Source::Transposed("pooler.dense.weight".to_owned())),
        "dense.bias" => return plain("pooler.dense.bias"),
        _ => {}
    }
    let (layer, rest) = canonical.strip_prefix("layers.")?.split_once('.')?;
    let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
    let fused = |kind: &str| {
        ["query", "key", "value"]
            .iter()
            .map(|part| name(&format!("attention.self.{part}.{kind}")))
            .collect()
    };
    Some(match rest {
        "qkv.weight" => Source::ConcatTransposed(fused("weight")),
        "qkv.bias" => Source::Concat(fused("bias")),
        "attention_output.weight" => Source::Transposed(name("attention.output.dense.weight")),
        "attention_output.bias" => Source::Plain(name("attention.output.dense.bias")),
        "attention_norm.gamma" => Source::Plain(name("attention.output.LayerNorm.weight")),
        "attention_norm.beta" => Source::Plain(name("attention.output.LayerNorm.bias")),
        "up.weight" => Source::Transposed(name("intermediate.dense.weight")),
        "up.bias" => Source::Plain(name("intermediate.dense.bias")),
        "down.weight" => Source::Transposed(name("output.dense.weight")),
        "down.bias" => Source::Plain(name("output.dense.bias")),
        "output_norm.gamma" => Source::Plain(name("output.LayerNorm.weight")),
        "output_norm.beta" => Source::Plain(name("output.LayerNorm.bias")),
        _ => return None,
    })
}
