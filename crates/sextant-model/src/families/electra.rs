//! ELECTRA: BERT's block; embeddings may be narrower than the blocks.

use super::config_file::ConfigFile;
use super::raw::{self, Raw};
use super::{Format, Source, VocabularyFiles, names};
use crate::{BackboneConfig, DenseActivation, DenseConfig, Family, ModelError, Pooling};
use sextant_text::RowFormat;

pub(super) const FORMAT: Format = Format {
    model_type: "electra",
    class: "ElectraForSequenceClassification",
    prefix: "electra.",
    head: &["classifier."],
    // `classifier.weight` and `.bias` belong to a head for token classification; the layers of a
    // sequence-classification head have other names.
    ignored: &[
        "classifier.weight",
        "classifier.bias",
        "discriminator_predictions.",
        "generator_predictions.",
        "generator_lm_head.",
        "qa_outputs.",
    ],
    rows: &[RowFormat::BERT, RowFormat::ROBERTA],
    vocabulary: Some(VocabularyFiles::WordPiece),
    poolings: &[Pooling::Cls],
    gguf: None,
    head_dropout: "classifier_dropout",
    config,
    json: |config| {
        let mut json = raw::write(config);
        json["embedding_size"] = config.embedding_width().into();
        json
    },
    source,
};

fn config(file: &ConfigFile) -> Result<BackboneConfig, ModelError> {
    let raw = Raw::read(file)?;
    // The default in `transformers` is the width of the small model, not `hidden_size`.
    let size = raw.embedding_size.unwrap_or(128);
    let raw = Raw { embedding_size: Some(size), ..raw };
    Ok(BackboneConfig {
        dense: DenseConfig { activation: DenseActivation::Gelu, ..DenseConfig::default() },
        ..raw.backbone(Family::Electra)
    })
}

fn source(canonical: &str) -> Option<Source> {
    if let Some(kind) = canonical.strip_prefix("embeddings.projection.") {
        return Source::linear("embeddings_project", kind);
    }
    match canonical.split_once('.') {
        Some(("dense", kind)) => Source::linear("classifier.dense", kind),
        Some(("classifier", kind)) => Source::linear("classifier.out_proj", kind),
        _ => names::source(canonical, names::QKV),
    }
}
