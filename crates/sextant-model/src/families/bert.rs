//! BERT, and what shares its shape: MiniLM, TinyBERT.

use super::raw::{self, Raw};
use super::{Format, Source, names};
use crate::Family;

pub(super) const FORMAT: Format = Format {
    family: Family::Bert,
    model_type: "bert",
    class: "BertForSequenceClassification",
    prefix: "bert.",
    head: &["classifier."],
    ignored: &["cls.", "qa_outputs."],
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
