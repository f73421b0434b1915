//! Decoder-only families: Llama 2 and 3 (SmolLM2), Mistral, Qwen 2, 2.5 and 3, Gemma 1, 2 and 3.
//!
//! One set of names and nearly one set of keys; a family is what its `config.json` leaves unsaid.

use super::config_file::ConfigFile;
use super::{Format, Source, names};
use crate::{
    BackboneConfig, Biases, BlockConfig, Family, MlpActivation, ModelError, NormKind, NormPlace,
    RotaryConfig, RotaryScaling, Window,
};
use serde::Deserialize;
use serde_json::{Value, json};

const LLAMA: Format = Format {
    family: Family::Llama,
    model_type: "llama",
    class: "LlamaForSequenceClassification",
    prefix: "model.",
    head: &["score."],
    ignored: &["lm_head."],
    config: |file| config(file, Family::Llama),
    json: write,
    source: |name| source(name, false),
};

/// Gemma 2 and 3 normalise what sublayers give as well.
const GEMMA2: Format = Format { source: |name| source(name, true), ..LLAMA };

/// Every decoder family.
pub(super) static FORMATS: [Format; 7] = [
    LLAMA,
    Format {
        family: Family::Mistral,
        model_type: "mistral",
        class: "MistralForSequenceClassification",
        config: |file| config(file, Family::Mistral),
        ..LLAMA
    },
    Format {
        family: Family::Qwen2,
        model_type: "qwen2",
        class: "Qwen2ForSequenceClassification",
        config: |file| config(file, Family::Qwen2),
        ..LLAMA
    },
    Format {
        family: Family::Qwen3,
        model_type: "qwen3",
        class: "Qwen3ForSequenceClassification",
        config: |file| config(file, Family::Qwen3),
        ..LLAMA
    },
    Format {
        family: Family::Gemma,
        model_type: "gemma",
        class: "GemmaForSequenceClassification",
        config: |file| config(file, Family::Gemma),
        ..LLAMA
    },
    Format {
        family: Family::Gemma2,
        model_type: "gemma2",
        class: "Gemma2ForSequenceClassification",
        config: |file| config(file, Family::Gemma2),
        ..GEMMA2
    },
    Format {
        family: Family::Gemma3,
        model_type: "gemma3_text",
        class: "Gemma3TextForSequenceClassification",
        config: |file| config(file, Family::Gemma3),
        ..GEMMA2
    },
];

/// The keys of all families, of older files and newer ones.
#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "the file's keys")]
struct Keys {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    #[serde(default = "eps")]
    rms_norm_eps: f64,
    #[serde(default)]
    attention_dropout: f32,
    attention_bias: Option<bool>,
    #[serde(default)]
    mlp_bias: bool,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    sliding_window: Option<usize>,
    #[serde(default)]
    use_sliding_window: bool,
    max_window_layers: Option<usize>,
    sliding_window_pattern: Option<usize>,
    layer_types: Option<Vec<String>>,
    query_pre_attn_scalar: Option<f64>,
    attn_logit_softcapping: Option<f32>,
    rope_theta: Option<f64>,
    rope_local_base_freq: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    use_bidirectional_attention: Option<bool>,
}

fn eps() -> f64 {
    1e-6
}

impl Keys {
    /// Refuses what cannot be, by the file's keys.
    fn check(&self, file: &ConfigFile) -> Result<(), ModelError> {
        let (heads, layers) = (self.num_attention_heads, self.num_hidden_layers);
        file.require_sizes(&[
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", layers),
            ("num_attention_heads", heads),
            ("num_key_value_heads", self.num_key_value_heads.unwrap_or(1)),
            ("head_dim", self.head_dim.unwrap_or(1)),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("sliding_window", self.sliding_window.unwrap_or(1)),
            ("sliding_window_pattern", self.sliding_window_pattern.unwrap_or(1)),
        ])?;
        file.require_depth(("num_hidden_layers", layers))?;
        file.require_shares(&[("attention_dropout", self.attention_dropout)])?;
        if self.head_dim.is_none() {
            let whole = ("hidden_size", self.hidden_size);
            file.require_divides(("num_attention_heads", heads), whole)?;
        }
        if let Some(shared) = self.num_key_value_heads {
            let whole = ("num_attention_heads", heads);
            file.require_divides(("num_key_value_heads", shared), whole)?;
        }
        if let Some(kinds) = &self.layer_types {
            file.require_kinds("layer_types", kinds, ("num_hidden_layers", layers))?;
        }
        for (key, value) in [
            ("rms_norm_eps", Some(self.rms_norm_eps)),
            ("rope_theta", self.rope_theta),
            ("rope_local_base_freq", self.rope_local_base_freq),
            ("query_pre_attn_scalar", self.query_pre_attn_scalar),
            ("attn_logit_softcapping", self.attn_logit_softcapping.map(f64::from)),
        ] {
            file.require_positive(key, value)?;
        }
        Ok(())
    }

    fn activation(&self, family: Family, file: &ConfigFile) -> Result<MlpActivation, ModelError> {
        let gemma = matches!(family, Family::Gemma | Family::Gemma2 | Family::Gemma3);
        if gemma {
            // Gemma 1's files say `gelu` where the tanh approximation is meant.
            let found = self.hidden_activation.as_deref().unwrap_or("gelu_pytorch_tanh");
            file.require("hidden_activation", found, "gelu_pytorch_tanh")?;
            return Ok(MlpActivation::GeluTanh);
        }
        file.require("hidden_act", self.hidden_act.as_deref().unwrap_or("silu"), "silu")?;
        Ok(MlpActivation::Silu)
    }

    /// For each layer, whether it sees a window only.
    fn windowed(&self, family: Family) -> Vec<bool> {
        let layers = 0..self.num_hidden_layers;
        if let Some(kinds) = &self.layer_types {
            return kinds.iter().map(|kind| kind == "sliding_attention").collect();
        }
        match family {
            Family::Mistral => layers.map(|_| true).collect(),
            Family::Qwen2 | Family::Qwen3 if self.use_sliding_window => {
                let first = self.max_window_layers.unwrap_or(28);
                layers.map(|layer| layer >= first).collect()
            }
            Family::Gemma2 | Family::Gemma3 => {
                let usual = if family == Family::Gemma2 { 2 } else { 6 };
                let period = self.sliding_window_pattern.unwrap_or(usual); // checked: not 0
                layers.map(|layer| (layer + 1) % period != 0).collect()
            }
            _ => Vec::new(),
        }
    }

    fn rotary(&self, family: Family, file: &ConfigFile) -> Result<RotaryConfig, ModelError> {
        let given = self.rope_parameters.as_ref();
        let full = given.map(|given| given.get("full_attention").unwrap_or(given));
        let local = given.and_then(|given| given.get("sliding_attention"));
        let base = |given: Option<&Value>| given?.get("rope_theta")?.as_f64();
        let gemma3 = family == Family::Gemma3;
        let usual = if gemma3 { 1_000_000.0 } else { 10_000.0 };
        let scaling = full.or(self.rope_scaling.as_ref());
        for given in [full, local] {
            file.require_positive("rope_parameters.rope_theta", base(given))?;
        }
        Ok(RotaryConfig {
            base: base(full).or(self.rope_theta).unwrap_or(usual),
            local_base: gemma3
                .then(|| base(local).or(self.rope_local_base_freq).unwrap_or(10_000.0)),
            scaling: scaling
                .map_or(Ok(RotaryScaling::None), |scaling| read_scaling(scaling, file))?,
        })
    }
}

fn read_scaling(json: &Value, file: &ConfigFile) -> Result<RotaryScaling, ModelError> {
    let kind = json.get("rope_type").or_else(|| json.get("type")).and_then(Value::as_str);
    let number = |key: &str| {
        let found = json.get(key);
        let number = found.and_then(Value::as_f64).filter(|&number| number > 0.0);
        number.ok_or_else(|| {
            let found = found.map_or("absent".to_owned(), Value::to_string);
            file.wrong(format!("`rope_scaling.{key}` is {found}; it must be a number above 0"))
        })
    };
    match kind.unwrap_or("default") {
        "default" => Ok(RotaryScaling::None),
        "linear" => Ok(RotaryScaling::Linear { factor: number("factor")? }),
        "llama3" => {
            let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
            if low >= high {
                return Err(file.wrong(format!(
                    "`rope_scaling.low_freq_factor` {low} must be less than `rope_scaling.high_freq_factor` {high}"
                )));
            }
            let original = number("original_max_position_embeddings")? as usize;
            Ok(RotaryScaling::Llama3 { factor: number("factor")?, low, high, original })
        }
        other => Err(file.unsupported("rope_scaling.rope_type", other, "default, linear, llama3")),
    }
}

fn config(file: &ConfigFile, family: Family) -> Result<BackboneConfig, ModelError> {
    let keys: Keys = file.keys()?;
    keys.check(file)?;
    if keys.use_bidirectional_attention == Some(true) {
        return Err(file.unsupported("use_bidirectional_attention", "true", "false"));
    }
    let gemma = matches!(family, Family::Gemma | Family::Gemma2 | Family::Gemma3);
    let sandwich = matches!(family, Family::Gemma2 | Family::Gemma3);
    let qwen2 = family == Family::Qwen2;
    let bias = keys.attention_bias.unwrap_or(qwen2);
    let mut windowed = keys.windowed(family);
    let wanted = keys.sliding_window.filter(|_| windowed.contains(&true));
    if wanted.is_none() {
        windowed.clear();
    }
    let kv_heads = keys.num_key_value_heads.unwrap_or(keys.num_attention_heads);
    let derived = keys.hidden_size / keys.num_attention_heads; // checked: not 0
    // What the family has where the file does not say.
    let usual = match family {
        Family::Gemma | Family::Gemma2 | Family::Gemma3 => 256,
        Family::Qwen3 => 128,
        _ => derived,
    };
    let head_dim = keys.head_dim.unwrap_or(usual);
    Ok(BackboneConfig {
        family,
        hidden_size: keys.hidden_size,
        layers: keys.num_hidden_layers,
        attention_heads: keys.num_attention_heads,
        intermediate_size: keys.intermediate_size,
        max_positions: keys.max_position_embeddings,
        segment_types: 0,
        norm_eps: keys.rms_norm_eps,
        hidden_dropout: 0.0,
        attention_dropout: keys.attention_dropout,
        positions_absent: true,
        embedding_norm_absent: true,
        embedding_scale: gemma.then(|| (keys.hidden_size as f64).sqrt() as f32),
        final_norm: true,
        head_bias_absent: true,
        block: BlockConfig {
            norm: if gemma { NormKind::RmsOnePlus } else { NormKind::Rms },
            norm_place: if sandwich { NormPlace::Both } else { NormPlace::Pre },
            biases: Biases { qkv: bias, attention_output: bias && !qwen2, mlp: keys.mlp_bias },
            mlp_activation: keys.activation(family, file)?,
            mlp_gated: true,
            key_value_heads: (kv_heads != keys.num_attention_heads).then_some(kv_heads),
            head_dim: (head_dim != derived).then_some(head_dim),
            attention_scale: keys
                .query_pre_attn_scalar
                .filter(|_| sandwich)
                .map(|scalar| (1.0 / scalar.sqrt()) as f32),
            attention_soft_cap: keys.attn_logit_softcapping.filter(|_| sandwich),
            query_key_norm: matches!(family, Family::Qwen3 | Family::Gemma3),
            causal: true,
            window: wanted.map(|window| Window { before: window - 1, after: 0 }),
            windowed_layers: windowed,
            rotary: Some(keys.rotary(family, file)?),
            ..BlockConfig::default()
        },
        ..BackboneConfig::small(keys.vocab_size)
    })
}

fn write(config: &BackboneConfig) -> Value {
    let block = &config.block;
    let gemma = block.norm == NormKind::RmsOnePlus;
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
    json[if gemma { "hidden_activation" } else { "hidden_act" }] = activation.into();
    if let Some(window) = block.window {
        json["sliding_window"] = (window.before + 1).into();
        json["use_sliding_window"] = true.into();
    } else {
        json["sliding_window"] = Value::Null;
    }
    if !matches!(config.family, Family::Llama | Family::Gemma | Family::Mistral) {
        json["layer_types"] = (0..config.layers).map(kind).collect::<Vec<_>>().into();
    }
    if let Some(scale) = block.attention_scale {
        // an integer to `transformers`
        json["query_pre_attn_scalar"] = ((1.0 / (scale * scale)).round() as u64).into();
    }
    if matches!(config.family, Family::Gemma2) {
        json["attn_logit_softcapping"] = block.attention_soft_cap.into();
        json["final_logit_softcapping"] = Value::Null;
    }
    if let Some(rotary) = block.rotary {
        let mut full = match rotary.scaling {
            RotaryScaling::None => json!({ "rope_type": "default" }),
            RotaryScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
            RotaryScaling::Llama3 { factor, low, high, original } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low,
                "high_freq_factor": high,
                "original_max_position_embeddings": original,
            }),
        };
        full["rope_theta"] = rotary.base.into();
        json["rope_parameters"] = match rotary.local_base {
            None => full,
            Some(local) => json!({
                "full_attention": full,
                "sliding_attention": { "rope_type": "default", "rope_theta": local },
            }),
        };
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
        // One name for what stands after attention, before or on the residual sum.
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
