//! DeBERTa v2 and v3: BERT's block with disentangled relative positions in its attention scores.

use super::config_file::ConfigFile;
use super::raw::{self, Raw};
use super::{Format, Source, names};
use crate::{
    BackboneConfig, BlockConfig, DenseActivation, DenseConfig, Family, ModelError, Pooling,
    RelativeConfig,
};
use serde::Deserialize;
use serde_json::Value;
use sextant_text::RowFormat;

pub(super) const FORMAT: Format = Format {
    model_type: "deberta-v2",
    class: "DebertaV2ForSequenceClassification",
    prefix: "deberta.",
    head: &["pooler.", "classifier."],
    ignored: &["cls.", "lm_predictions.", "mask_predictions.", "qa_outputs."],
    rows: &[RowFormat::BERT, RowFormat::ROBERTA],
    vocabulary: None,
    poolings: &[Pooling::Cls],
    gguf: None,
    head_dropout: "cls_dropout",
    config,
    json: write,
    source,
};

/// The keys besides those of BERT.
#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    relative_attention: bool,
    #[serde(default)]
    max_relative_positions: Option<i64>,
    #[serde(default)]
    position_buckets: Option<i64>,
    #[serde(default)]
    norm_rel_ebd: Option<String>,
    #[serde(default)]
    share_att_key: bool,
    #[serde(default)]
    pos_att_type: Value,
    #[serde(default = "yes")]
    position_biased_input: bool,
    #[serde(default)]
    pooler_hidden_act: Option<String>,
    #[serde(default)]
    conv_kernel_size: Option<i64>,
    #[serde(default)]
    attention_head_size: Option<usize>,
    #[serde(default)]
    type_vocab_size: usize,
}

fn yes() -> bool {
    true
}

impl Keys {
    /// Whether the file lists a kind of relative scores. The kinds are a list or, in older files, one text
    /// such as `c2p|p2c`.
    fn has(&self, kind: &str) -> bool {
        match &self.pos_att_type {
            Value::String(kinds) => kinds.split('|').any(|found| found.trim() == kind),
            Value::Array(kinds) => kinds.iter().any(|found| found == kind),
            _ => false,
        }
    }
}

fn config(file: &ConfigFile) -> Result<BackboneConfig, ModelError> {
    let raw = Raw::read(file)?;
    let keys: Keys = file.keys()?;
    let head_dim = raw.hidden_size / raw.num_attention_heads; // `Raw::read` refuses 0 heads
    let width = raw.embedding_size.unwrap_or(raw.hidden_size);
    for (key, holds, found, supported) in [
        ("relative_attention", keys.relative_attention, "false", "true"),
        ("share_att_key", keys.share_att_key, "false", "true"),
        ("pos_att_type", keys.has("c2p") && keys.has("p2c"), "not both", "c2p and p2c"),
        (
            "conv_kernel_size",
            keys.conv_kernel_size.unwrap_or(0) <= 0,
            "above 0",
            "0: a convolution after the first layer (v2-xlarge) is not implemented",
        ),
        (
            "attention_head_size",
            keys.attention_head_size.is_none_or(|size| size == head_dim),
            "another one",
            "hidden_size / num_attention_heads",
        ),
        ("embedding_size", width == raw.hidden_size, "another one", "hidden_size"),
    ] {
        if !holds {
            return Err(file.unsupported(key, found, supported));
        }
    }
    let act = keys.pooler_hidden_act.as_deref().unwrap_or("gelu");
    file.require("pooler_hidden_act", act, "gelu")?;
    let positive = |value: Option<i64>| {
        value.and_then(|value| usize::try_from(value).ok()).filter(|&value| value > 0)
    };
    let reach = positive(keys.max_relative_positions).unwrap_or(raw.max_position_embeddings);
    let buckets = positive(keys.position_buckets);
    for (key, value) in
        [("max_relative_positions", reach), ("position_buckets", buckets.unwrap_or(2))]
    {
        if value < 2 {
            return Err(file.wrong(format!("`{key}` is {value}; it must be at least 2")));
        }
    }
    if let Some(buckets) = buckets
        && reach <= buckets / 2 + 1
    {
        return Err(file.wrong(format!(
            "`position_buckets` {buckets} are more than distances up to `max_relative_positions` {reach} need"
        )));
    }
    let norm = keys.norm_rel_ebd.as_deref().unwrap_or("none").contains("layer_norm");
    Ok(BackboneConfig {
        segment_types: keys.type_vocab_size,
        positions_absent: !keys.position_biased_input,
        dense: DenseConfig { activation: DenseActivation::Gelu, ..DenseConfig::default() },
        block: BlockConfig {
            // A score is the sum of three terms, so that it is divided by the square root of three times the
            // head width.
            attention_scale: Some(1.0 / (3.0 * head_dim as f32).sqrt()),
            relative: Some(RelativeConfig {
                span: buckets.unwrap_or(reach),
                bucketed_up_to: buckets.map(|_| reach),
                norm,
            }),
            ..BlockConfig::default()
        },
        ..raw.backbone(Family::DebertaV2)
    })
}

fn write(config: &BackboneConfig) -> Value {
    let mut json = raw::write(config);
    json["relative_attention"] = true.into();
    json["share_att_key"] = true.into();
    json["pos_att_type"] = ["p2c", "c2p"].as_slice().into();
    json["position_biased_input"] = (!config.positions_absent).into();
    json["pooler_hidden_act"] = "gelu".into();
    json["pooler_dropout"] = 0.into();
    json["pooler_hidden_size"] = config.hidden_size.into();
    if let Some(relative) = config.block.relative {
        let reach = relative.bucketed_up_to.unwrap_or(relative.span);
        json["max_relative_positions"] = reach.into();
        json["position_buckets"] =
            relative.bucketed_up_to.map_or(-1, |_| relative.span as i64).into();
        json["norm_rel_ebd"] = if relative.norm { "layer_norm" } else { "none" }.into();
    }
    json
}

fn source(canonical: &str) -> Option<Source> {
    if canonical == "embeddings.relative" {
        return Some(Source::Plain("encoder.rel_embeddings.weight".to_owned()));
    }
    if let Some(kind) = canonical.strip_prefix("embeddings.relative_norm.") {
        return Source::norm("encoder.LayerNorm", kind);
    }
    match canonical.split_once('.') {
        Some(("dense", kind)) => Source::linear("pooler.dense", kind),
        Some(("classifier", kind)) => Source::linear("classifier", kind),
        _ => names::source(canonical, ["query_proj", "key_proj", "value_proj"]),
    }
}
