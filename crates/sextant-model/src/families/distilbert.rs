//! DistilBERT: BERT's block without segments, with its own names of keys and tensors.

use super::config_file::ConfigFile;
use super::{Format, Source, VocabularyFiles, names};
use crate::{BackboneConfig, DenseActivation, DenseConfig, Family, ModelError, Pooling};
use serde::Deserialize;
use serde_json::json;
use sextant_text::RowFormat;

pub(super) const FORMAT: Format = Format {
    model_type: "distilbert",
    class: "DistilBertForSequenceClassification",
    prefix: "distilbert.",
    head: &["pre_classifier.", "classifier."],
    ignored: &["qa_outputs.", "vocab_layer_norm.", "vocab_projector.", "vocab_transform."],
    rows: &[RowFormat::BERT, RowFormat::ROBERTA],
    vocabulary: Some(VocabularyFiles::WordPiece),
    poolings: &[Pooling::Cls],
    gguf: None,
    head_dropout: "seq_classif_dropout",
    config,
    json: |config| {
        json!({
            "vocab_size": config.vocab_size,
            "dim": config.hidden_size,
            "n_layers": config.layers,
            "n_heads": config.attention_heads,
            "hidden_dim": config.intermediate_size,
            "max_position_embeddings": config.max_positions,
            "dropout": config.hidden_dropout,
            "attention_dropout": config.attention_dropout,
            "activation": "gelu",
            "sinusoidal_pos_embds": false,
        })
    },
    source,
};

#[derive(Deserialize)]
struct Keys {
    vocab_size: usize,
    dim: usize,
    n_layers: usize,
    n_heads: usize,
    hidden_dim: usize,
    max_position_embeddings: usize,
    #[serde(default)]
    dropout: f32,
    #[serde(default)]
    attention_dropout: f32,
    #[serde(default)]
    activation: Option<String>,
}

fn config(file: &ConfigFile) -> Result<BackboneConfig, ModelError> {
    let keys: Keys = file.keys()?;
    file.require("activation", keys.activation.as_deref().unwrap_or("gelu"), "gelu")?;
    file.require_sizes(&[
        ("vocab_size", keys.vocab_size),
        ("dim", keys.dim),
        ("n_layers", keys.n_layers),
        ("n_heads", keys.n_heads),
        ("hidden_dim", keys.hidden_dim),
        ("max_position_embeddings", keys.max_position_embeddings),
    ])?;
    file.require_depth(("n_layers", keys.n_layers))?;
    file.require_shares(&[
        ("dropout", keys.dropout),
        ("attention_dropout", keys.attention_dropout),
    ])?;
    file.require_divides(("n_heads", keys.n_heads), ("dim", keys.dim))?;
    Ok(BackboneConfig {
        family: Family::Distilbert,
        hidden_size: keys.dim,
        layers: keys.n_layers,
        attention_heads: keys.n_heads,
        intermediate_size: keys.hidden_dim,
        max_positions: keys.max_position_embeddings,
        segment_types: 0,
        hidden_dropout: keys.dropout,
        attention_dropout: keys.attention_dropout,
        dense: DenseConfig { activation: DenseActivation::Relu, ..DenseConfig::default() },
        ..BackboneConfig::small(keys.vocab_size)
    })
}

fn source(canonical: &str) -> Option<Source> {
    match canonical.split_once('.') {
        Some(("dense", kind)) => return Source::linear("pre_classifier", kind),
        Some(("classifier", kind)) => return Source::linear("classifier", kind),
        _ => {}
    }
    let Some((layer, module, kind)) = names::layer(canonical) else {
        return names::source(canonical, names::QKV);
    };
    let name = |rest: &str| format!("transformer.layer.{layer}.{rest}");
    match module {
        "qkv" => Source::linears(
            &["q", "k", "v"].map(|part| name(&format!("attention.{part}_lin"))),
            kind,
        ),
        "attention_output" => Source::linear(&name("attention.out_lin"), kind),
        "attention_norm" => Source::norm(&name("sa_layer_norm"), kind),
        "up" => Source::linear(&name("ffn.lin1"), kind),
        "down" => Source::linear(&name("ffn.lin2"), kind),
        "output_norm" => Source::norm(&name("output_layer_norm"), kind),
        _ => None,
    }
}
