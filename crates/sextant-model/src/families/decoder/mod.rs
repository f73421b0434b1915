//! Decoder-only families: Llama 2 and 3 (SmolLM2), Mistral, Qwen 2, 2.5 and 3, Gemma 1, 2 and 3.
//!
//! These families share their tensor names and nearly all keys of `config.json`. They differ in what the file
//! leaves unsaid, which [`Unsaid`] states for each family.

mod keys;
mod rotary;

use super::{Format, Source, VocabularyFiles, names};
use crate::gguf::Dialect;
use crate::{BackboneConfig, Family, MlpActivation, Pooling};
use keys::config;
use serde_json::{Value, json};
use sextant_text::RowFormat;

/// What a family's `config.json` leaves unsaid, or says only under certain keys.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word on its own")]
struct Unsaid {
    family: Family,
    /// Whether the family has Gemma's GELU by the tanh approximation, norms that scale by one plus the
    /// weight, and scaled embeddings.
    gemma: bool,
    /// Whether norms stand before and after each sublayer, and the file may state a query scale and a cap of
    /// attention scores.
    sandwich: bool,
    /// Whether, unless the file says otherwise, the projections to queries, keys and values have biases. In
    /// such a family the projection after attention has none.
    qkv_bias: bool,
    /// Whether each head's queries and keys are normalised.
    query_key_norm: bool,
    /// The default width of a head, if it is not the model's width divided by the number of heads.
    head_dim: Option<usize>,
    /// Which layers have a window, if the file does not list them.
    windows: Windows,
    /// The default base of rotary positions.
    rotary_base: f64,
    /// The default base of rotary positions in layers with a window, if it differs there.
    local_rotary_base: Option<f64>,
    /// Whether an exported file lists the kind of each layer.
    lists_layers: bool,
    /// Whether an exported file has the keys of capped scores.
    states_caps: bool,
}

/// Which layers have a window, if the file does not list them.
#[derive(Debug, Clone, Copy)]
enum Windows {
    None,
    /// Every layer.
    All,
    /// If `use_sliding_window` is true, the layers from `max_window_layers` on; this is the default of that
    /// key.
    FromLayer(usize),
    /// All layers except every n-th, with this default of n.
    AllBut(usize),
}

const OF_LLAMA: Unsaid = Unsaid {
    family: Family::Llama,
    gemma: false,
    sandwich: false,
    qkv_bias: false,
    query_key_norm: false,
    head_dim: None,
    windows: Windows::None,
    rotary_base: 10_000.0,
    local_rotary_base: None,
    lists_layers: false,
    states_caps: false,
};
const OF_MISTRAL: Unsaid = Unsaid { family: Family::Mistral, windows: Windows::All, ..OF_LLAMA };
const OF_QWEN2: Unsaid = Unsaid {
    family: Family::Qwen2,
    qkv_bias: true,
    windows: Windows::FromLayer(28),
    lists_layers: true,
    ..OF_LLAMA
};
const OF_QWEN3: Unsaid = Unsaid {
    family: Family::Qwen3,
    qkv_bias: false,
    query_key_norm: true,
    head_dim: Some(128),
    ..OF_QWEN2
};
const OF_GEMMA: Unsaid =
    Unsaid { family: Family::Gemma, gemma: true, head_dim: Some(256), ..OF_LLAMA };
const OF_GEMMA2: Unsaid = Unsaid {
    family: Family::Gemma2,
    sandwich: true,
    windows: Windows::AllBut(2),
    lists_layers: true,
    states_caps: true,
    ..OF_GEMMA
};
const OF_GEMMA3: Unsaid = Unsaid {
    family: Family::Gemma3,
    query_key_norm: true,
    windows: Windows::AllBut(6),
    rotary_base: 1_000_000.0,
    local_rotary_base: Some(10_000.0),
    states_caps: false,
    ..OF_GEMMA2
};

/// How llama.cpp writes Llama. For the other families, the names of architectures differ, and the rows of
/// queries and keys are not interleaved.
const GGUF: Dialect = Dialect {
    architecture: "llama",
    interleaved: true,
    one_plus: false,
    sandwich: false,
    query_scale: None,
};
const GGUF_OF_QWEN2: Dialect = Dialect { architecture: "qwen2", interleaved: false, ..GGUF };
const GGUF_OF_GEMMA: Dialect =
    Dialect { architecture: "gemma", one_plus: true, query_scale: Some(0), ..GGUF_OF_QWEN2 };

pub(super) const LLAMA: Format = Format {
    model_type: "llama",
    class: "LlamaForSequenceClassification",
    prefix: "model.",
    head: &["score."],
    ignored: &["lm_head."],
    rows: &[RowFormat::LINES],
    vocabulary: None,
    poolings: &[Pooling::Last],
    gguf: Some(GGUF),
    head_dropout: "classifier_dropout",
    config: |file| config(file, OF_LLAMA),
    json: |config| write(config, OF_LLAMA),
    source: |name| source(name, false),
};

pub(super) const MISTRAL: Format = Format {
    model_type: "mistral",
    class: "MistralForSequenceClassification",
    // llama.cpp writes Mistral as the architecture `llama`.
    gguf: None,
    config: |file| config(file, OF_MISTRAL),
    json: |config| write(config, OF_MISTRAL),
    ..LLAMA
};

pub(super) const QWEN2: Format = Format {
    model_type: "qwen2",
    class: "Qwen2ForSequenceClassification",
    vocabulary: Some(VocabularyFiles::Bpe("qwen2")),
    gguf: Some(GGUF_OF_QWEN2),
    config: |file| config(file, OF_QWEN2),
    json: |config| write(config, OF_QWEN2),
    ..LLAMA
};

pub(super) const QWEN3: Format = Format {
    model_type: "qwen3",
    class: "Qwen3ForSequenceClassification",
    gguf: Some(Dialect { architecture: "qwen3", ..GGUF_OF_QWEN2 }),
    config: |file| config(file, OF_QWEN3),
    json: |config| write(config, OF_QWEN3),
    ..QWEN2
};

pub(super) const GEMMA: Format = Format {
    model_type: "gemma",
    class: "GemmaForSequenceClassification",
    rows: &[RowFormat::LINES_FROM_BOS],
    gguf: Some(GGUF_OF_GEMMA),
    config: |file| config(file, OF_GEMMA),
    json: |config| write(config, OF_GEMMA),
    ..LLAMA
};

/// Gemma 2 and 3 also normalise the outputs of sublayers.
pub(super) const GEMMA2: Format = Format {
    model_type: "gemma2",
    class: "Gemma2ForSequenceClassification",
    gguf: Some(Dialect {
        architecture: "gemma2",
        sandwich: true,
        query_scale: Some(46),
        ..GGUF_OF_GEMMA
    }),
    config: |file| config(file, OF_GEMMA2),
    json: |config| write(config, OF_GEMMA2),
    source: |name| source(name, true),
    ..GEMMA
};

pub(super) const GEMMA3: Format = Format {
    model_type: "gemma3_text",
    class: "Gemma3TextForSequenceClassification",
    gguf: Some(Dialect {
        architecture: "gemma3",
        sandwich: true,
        query_scale: Some(62),
        ..GGUF_OF_GEMMA
    }),
    config: |file| config(file, OF_GEMMA3),
    json: |config| write(config, OF_GEMMA3),
    ..GEMMA2
};

fn write(config: &BackboneConfig, of: Unsaid) -> Value {
    let block = &config.block;
    let kind =
        |layer| if block.is_windowed(layer) { "sliding_attention" } else { "full_attention" };
    let activation = match block.mlp_activation {
        MlpActivation::Gelu => "gelu",
        MlpActivation::GeluTanh => "gelu_pytorch_tanh",
        MlpActivation::Silu => "silu",
    };
    let mut json = json!({
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.attention_heads,
        "num_key_value_heads": config.key_value_heads(),
        "head_dim": config.head_dim(),
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_positions,
        "rms_norm_eps": config.norm_eps,
        "attention_dropout": config.attention_dropout,
        "attention_bias": block.biases.qkv,
        "mlp_bias": block.biases.mlp,
    });
    json[if of.gemma { "hidden_activation" } else { "hidden_act" }] = activation.into();
    if let Some(window) = block.window {
        json["sliding_window"] = (window.before + 1).into();
        json["use_sliding_window"] = true.into();
    } else {
        json["sliding_window"] = Value::Null;
    }
    if of.lists_layers {
        json["layer_types"] = (0..config.layers).map(kind).collect::<Vec<_>>().into();
    }
    if let Some(scale) = block.attention_scale {
        // `transformers` expects an integer here.
        json["query_pre_attn_scalar"] = ((1.0 / (scale * scale)).round() as u64).into();
    }
    if of.states_caps {
        json["attn_logit_softcapping"] = block.attention_soft_cap.into();
        json["final_logit_softcapping"] = Value::Null;
    }
    if let Some(rotary) = block.rotary {
        json["rope_parameters"] = rotary::write(rotary);
    }
    json
}

fn source(canonical: &str, sandwich: bool) -> Option<Source> {
    match canonical.split_once('.')? {
        ("embeddings", "word") => return Some(Source::Plain("embed_tokens.weight".to_owned())),
        ("final_norm", kind) => return Source::norm("norm", kind),
        ("classifier", kind) => return Source::linear("score", kind),
        _ => {}
    }
    let (layer, module, kind) = names::layer(canonical)?;
    let name = |rest: &str| format!("layers.{layer}.{rest}");
    match module {
        "attention_input_norm" => Source::norm(&name("input_layernorm"), kind),
        "qkv" => {
            let parts = ["q", "k", "v"].map(|part| name(&format!("self_attn.{part}_proj")));
            Source::linears(&parts, kind)
        }
        "query_norm" => Source::norm(&name("self_attn.q_norm"), kind),
        "key_norm" => Source::norm(&name("self_attn.k_norm"), kind),
        "attention_output" => Source::linear(&name("self_attn.o_proj"), kind),
        "mlp_input_norm" if sandwich => Source::norm(&name("pre_feedforward_layernorm"), kind),
        // Without norms around sublayers, the checkpoint's `post_attention_layernorm` is the norm before the
        // MLP; with them, it is the norm of attention's output.
        "attention_norm" | "mlp_input_norm" => {
            Source::norm(&name("post_attention_layernorm"), kind)
        }
        "up" => {
            let parts = ["gate", "up"].map(|part| name(&format!("mlp.{part}_proj")));
            Source::linears(&parts, kind)
        }
        "down" => Source::linear(&name("mlp.down_proj"), kind),
        "output_norm" => Source::norm(&name("post_feedforward_layernorm"), kind),
        _ => None,
    }
}
