//! RoBERTa and XLM-RoBERTa (BGE-M3, bge-reranker): BERT's block with another embedding layer and another
//! head. The first position is the padding token's id plus 1.

use super::config_file::ConfigFile;
use super::raw::{self, Raw};
use super::{Format, Source, VocabularyFiles, names};
use crate::{BackboneConfig, Family, ModelError, Pooling};
use serde_json::Value;
use sextant_text::RowFormat;

pub(super) const ROBERTA: Format = Format {
    model_type: "roberta",
    class: "RobertaForSequenceClassification",
    prefix: "roberta.",
    head: &["classifier."],
    // `classifier.weight` and `.bias` belong to a head for token classification; the layers of a
    // sequence-classification head have other names.
    ignored: &["lm_head.", "classifier.weight", "classifier.bias", "pooler.", "qa_outputs."],
    // Some checkpoints use BERT's vocabulary.
    rows: &[RowFormat::ROBERTA, RowFormat::BERT],
    vocabulary: Some(VocabularyFiles::Bpe("gpt-2")),
    poolings: &[Pooling::Cls],
    gguf: None,
    head_dropout: "classifier_dropout",
    config: |file| config(file, Family::Roberta),
    json,
    source,
};

pub(super) const XLM_ROBERTA: Format = Format {
    model_type: "xlm-roberta",
    class: "XLMRobertaForSequenceClassification",
    vocabulary: None,
    config: |file| config(file, Family::XlmRoberta),
    ..ROBERTA
};

fn config(file: &ConfigFile, family: Family) -> Result<BackboneConfig, ModelError> {
    let raw = Raw::read(file)?;
    let pad = raw.pad_token_id.unwrap_or(1);
    let offset = pad.saturating_add(1);
    let positions = raw.max_position_embeddings.checked_sub(offset).filter(|&left| left > 0);
    let max_positions = positions.ok_or_else(|| {
        file.wrong(format!(
            "`max_position_embeddings` {} leaves no position past `pad_token_id` {pad}",
            raw.max_position_embeddings
        ))
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
