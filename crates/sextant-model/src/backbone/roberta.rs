//! RoBERTa and XLM-RoBERTa (BGE-M3, bge-reranker): BERT's block under another embedding layer and
//! head. Positions are counted from the padding token's id on.

use super::raw::{self, Raw};
use super::{Format, Source, names};
use crate::{BackboneConfig, Family, ModelError};
use serde_json::Value;
use std::path::Path;

pub(super) const ROBERTA: Format = Format {
    family: Family::Roberta,
    model_type: "roberta",
    class: "RobertaForSequenceClassification",
    prefix: "roberta.",
    head: &["classifier."],
    ignored: &["lm_head.", "classifier.", "pooler.", "qa_outputs."],
    config: |json, path| config(json, path, Family::Roberta),
    json,
    source,
};

pub(super) const XLM_ROBERTA: Format = Format {
    family: Family::XlmRoberta,
    model_type: "xlm-roberta",
    class: "XLMRobertaForSequenceClassification",
    config: |json, path| config(json, path, Family::XlmRoberta),
    ..ROBERTA
};

fn config(json: &Value, path: &Path, family: Family) -> Result<BackboneConfig, ModelError> {
    let raw = Raw::read(json, path)?;
    let offset = raw.pad_token_id.unwrap_or(1) + 1;
    let positions = raw.max_position_embeddings.checked_sub(offset).filter(|&left| left > 0);
    let max_positions = positions.ok_or_else(|| ModelError::Json {
        path: path.to_owned(),
        reason: format!(
            "`max_position_embeddings` {} leaves no position past `pad_token_id` {}",
            raw.max_position_embeddings,
            offset - 1
        ),
    })?;
    Ok(BackboneConfig { position_offset: offset, max_positions, ..raw.backbone(family) })
}

fn json(config: &BackboneConfig) -> Value {
    let mut json = raw::write(config);
    json["pad_token_id"] = (config.position_offset - 1).into();
    json
}

fn source(canonical: &str) -> Option<Source> {
    match canonical.split_once('.') {
        Some(("dense", kind)) => Source::linear("classifier.dense", kind),
        Some(("classifier", kind)) => Source::linear("classifier.out_proj", kind),
        _ => names::source(canonical, names::QKV),
    }
}
