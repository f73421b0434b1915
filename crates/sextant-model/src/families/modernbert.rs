//! ModernBERT: rotary positions with a different base in local layers, a gated MLP, norms before the
//! sublayers, no biases, and global attention in every third layer.

use super::config_file::ConfigFile;
use super::{Format, Source, names};
use crate::{
    BackboneConfig, Biases, BlockConfig, DenseActivation, DenseConfig, Family, ModelError,
    NormKind, NormPlace, Pooling, RotaryConfig, RotaryScaling, Window,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sextant_text::RowFormat;

pub(super) const FORMAT: Format = Format {
    model_type: "modernbert",
    class: "ModernBertForSequenceClassification",
    prefix: "model.",
    head: &["head.", "classifier."],
    ignored: &["decoder."],
    // Some checkpoints use Gemma's vocabulary.
    rows: &[RowFormat::BERT, RowFormat::LINES_FROM_BOS, RowFormat::ROBERTA],
    vocabulary: None,
    poolings: &[Pooling::Cls, Pooling::Mean],
    gguf: None,
    head_dropout: "classifier_dropout",
    config,
    json: write,
    source,
};

/// The keys of older and newer files. In older ones, rotary bases are plain keys instead of entries of
/// `rope_parameters`, and the pattern of layers is a period instead of a list.
#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "the file's keys")]
struct Keys {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "longest")]
    max_position_embeddings: usize,
    #[serde(default = "eps")]
    norm_eps: f64,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    classifier_bias: bool,
    #[serde(default)]
    attention_dropout: f32,
    #[serde(default)]
    embedding_dropout: f32,
    hidden_activation: Option<String>,
    classifier_activation: Option<String>,
    #[serde(default = "window")]
    local_attention: usize,
    #[serde(default = "period")]
    global_attn_every_n_layers: usize,
    layer_types: Option<Vec<String>>,
    global_rope_theta: Option<f64>,
    local_rope_theta: Option<f64>,
    rope_parameters: Option<Rope>,
}

#[derive(Deserialize)]
struct Rope {
    full_attention: Option<Base>,
    sliding_attention: Option<Base>,
}

#[derive(Deserialize)]
struct Base {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
}

fn longest() -> usize {
    8192
}

fn eps() -> f64 {
    1e-5
}

fn window() -> usize {
    128
}

fn period() -> usize {
    3
}

fn config(file: &ConfigFile) -> Result<BackboneConfig, ModelError> {
    let keys: Keys = file.keys()?;
    for (key, found) in [
        ("hidden_activation", &keys.hidden_activation),
        ("classifier_activation", &keys.classifier_activation),
    ] {
        file.require(key, found.as_deref().unwrap_or("gelu"), "gelu")?;
    }
    let rope =
        keys.rope_parameters.unwrap_or(Rope { full_attention: None, sliding_attention: None });
    let mut bases = [keys.global_rope_theta, keys.local_rope_theta];
    for (base, given) in bases.iter_mut().zip([rope.full_attention, rope.sliding_attention]) {
        let Some(given) = given else { continue };
        file.require_positive("rope_parameters.rope_theta", given.rope_theta)?;
        let kind = given.rope_type.as_deref().unwrap_or("default");
        file.require("rope_parameters.rope_type", kind, "default")?;
        *base = given.rope_theta.or(*base);
    }
    file.require_sizes(&[
        ("vocab_size", keys.vocab_size),
        ("hidden_size", keys.hidden_size),
        ("num_hidden_layers", keys.num_hidden_layers),
        ("num_attention_heads", keys.num_attention_heads),
        ("intermediate_size", keys.intermediate_size),
        ("max_position_embeddings", keys.max_position_embeddings),
        ("local_attention", keys.local_attention),
        ("global_attn_every_n_layers", keys.global_attn_every_n_layers),
    ])?;
    file.require_depth(("num_hidden_layers", keys.num_hidden_layers))?;
    let heads = ("num_attention_heads", keys.num_attention_heads);
    file.require_divides(heads, ("hidden_size", keys.hidden_size))?;
    file.require_shares(&[
        ("embedding_dropout", keys.embedding_dropout),
        ("attention_dropout", keys.attention_dropout),
    ])?;
    file.require_positive("norm_eps", Some(keys.norm_eps))?;
    file.require_positive("global_rope_theta", keys.global_rope_theta)?;
    file.require_positive("local_rope_theta", keys.local_rope_theta)?;
    if let Some(kinds) = &keys.layer_types {
        let layers = ("num_hidden_layers", keys.num_hidden_layers);
        file.require_kinds("layer_types", kinds, layers)?;
    }
    let windowed = if let Some(types) = &keys.layer_types {
        types.iter().map(|kind| kind == "sliding_attention").collect()
    } else {
        let period = keys.global_attn_every_n_layers; // `require_sizes` refuses 0
        (0..keys.num_hidden_layers).map(|layer| layer % period != 0).collect()
    };
    let norm = if keys.norm_bias { NormKind::Layer } else { NormKind::LayerUnshifted };
    let half = keys.local_attention / 2;
    Ok(BackboneConfig {
        family: Family::Modernbert,
        hidden_size: keys.hidden_size,
        layers: keys.num_hidden_layers,
        attention_heads: keys.num_attention_heads,
        intermediate_size: keys.intermediate_size,
        max_positions: keys.max_position_embeddings,
        segment_types: 0,
        norm_eps: keys.norm_eps,
        hidden_dropout: keys.embedding_dropout,
        attention_dropout: keys.attention_dropout,
        positions_absent: true,
        final_norm: true,
        dense: DenseConfig {
            activation: DenseActivation::Gelu,
            bias: keys.classifier_bias,
            norm: true,
        },
        block: BlockConfig {
            norm,
            norm_place: NormPlace::Pre,
            first_norm_absent: true,
            biases: Biases {
                qkv: keys.attention_bias,
                attention_output: keys.attention_bias,
                mlp: keys.mlp_bias,
            },
            mlp_gated: true,
            window: Some(Window { before: half, after: half }),
            windowed_layers: windowed,
            rotary: Some(RotaryConfig {
                base: bases[0].unwrap_or(160_000.0),
                local_base: Some(bases[1].unwrap_or(10_000.0)),
                scaling: RotaryScaling::None,
            }),
            ..BlockConfig::default()
        },
        ..BackboneConfig::small(keys.vocab_size)
    })
}

fn write(config: &BackboneConfig) -> Value {
    let block = &config.block;
    let kind =
        |layer| if block.is_windowed(layer) { "sliding_attention" } else { "full_attention" };
    let kinds: Vec<&str> = (0..config.layers).map(kind).collect();
    let half = block.window.map_or(64, |window| window.before);
    let base = block.rotary.map_or(160_000.0, |rotary| rotary.base);
    let local = block.rotary.and_then(|rotary| rotary.local_base).unwrap_or(base);
    json!({
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.attention_heads,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_positions,
        "norm_eps": config.norm_eps,
        "norm_bias": block.norm == NormKind::Layer,
        "attention_bias": block.biases.qkv,
        "mlp_bias": block.biases.mlp,
        "classifier_bias": config.dense.bias,
        "attention_dropout": config.attention_dropout,
        "embedding_dropout": config.hidden_dropout,
        "mlp_dropout": config.hidden_dropout,
        "hidden_activation": "gelu",
        "classifier_activation": "gelu",
        "classifier_pooling": "cls",
        "local_attention": 2 * half,
        "layer_types": kinds,
        "rope_parameters": {
            "full_attention": { "rope_type": "default", "rope_theta": base },
            "sliding_attention": { "rope_type": "default", "rope_theta": local },
        },
    })
}

fn source(canonical: &str) -> Option<Source> {
    match canonical.split_once('.')? {
        ("embeddings", "word") => {
            return Some(Source::Plain("embeddings.tok_embeddings.weight".to_owned()));
        }
        ("dense", kind) => return Source::linear("head.dense", kind),
        ("dense_norm", kind) => return Source::norm("head.norm", kind),
        ("final_norm", kind) => return Source::norm("final_norm", kind),
        ("classifier", kind) => return Source::linear("classifier", kind),
        _ => {}
    }
    if let Some(kind) = canonical.strip_prefix("embeddings.norm.") {
        return Source::norm("embeddings.norm", kind);
    }
    let (layer, module, kind) = names::layer(canonical)?;
    let name = |rest: &str| format!("layers.{layer}.{rest}");
    match module {
        "attention_input_norm" => Source::norm(&name("attn_norm"), kind),
        "qkv" => Source::linear(&name("attn.Wqkv"), kind),
        "attention_output" => Source::linear(&name("attn.Wo"), kind),
        "mlp_input_norm" => Source::norm(&name("mlp_norm"), kind),
        "up" => Source::linear(&name("mlp.Wi"), kind),
        "down" => Source::linear(&name("mlp.Wo"), kind),
        _ => None,
    }
}
