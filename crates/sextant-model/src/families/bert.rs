//! BERT, and what shares its shape: MiniLM, TinyBERT.

use super::raw::{self, Raw};
use super::{Format, Source, VocabularyFiles, names};
use crate::{Family, Pooling};
use sextant_text::RowFormat;

pub(super) const FORMAT: Format = Format {
    model_type: "bert",
    class: "BertForSequenceClassification",
    prefix: "bert.",
    head: &["classifier."],
    ignored: &["cls.", "qa_outputs."],
    rows: &[RowFormat::BERT, RowFormat::ROBERTA],
    vocabulary: Some(VocabularyFiles::WordPiece),
    poolings: &[Pooling::Cls],
    gguf: None,
    head_dropout: "classifier_dropout",
    config: |file| Ok(Raw::read(file)?.backbone(Family::Bert)),
    json: raw::write,
    source,
};

fn source(canonical: &str) -> Option<Source> {
    match canonical.split_once('.') {
        Some(("dense", kind)) => Source::linear("pooler.dense", kind),
        Some(("classifier", kind)) => Source::linear("classifier", kind),
        _ => names::source(canonical, names::QKV),
    }
}
