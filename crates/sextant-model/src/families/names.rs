//! The tensor names that BERT shares with the families whose code is derived from it.

use super::Source;

/// Splits `layers.3.qkv.weight` into `3`, `qkv`, `weight`.
pub(super) fn layer(canonical: &str) -> Option<(&str, &str, &str)> {
    let (layer, rest) = canonical.strip_prefix("layers.")?.split_once('.')?;
    let (module, kind) = rest.split_once('.')?;
    Some((layer, module, kind))
}

/// The sources of embeddings and blocks under BERT's names. `qkv` are the names of the projections to
/// queries, keys and values.
pub(super) fn source(canonical: &str, qkv: [&str; 3]) -> Option<Source> {
    let plain = |name: &str| Some(Source::Plain(name.to_owned()));
    match canonical {
        "embeddings.word" => return plain("embeddings.word_embeddings.weight"),
        "embeddings.position" => return plain("embeddings.position_embeddings.weight"),
        "embeddings.segment" => return plain("embeddings.token_type_embeddings.weight"),
        _ => {}
    }
    if let Some(kind) = canonical.strip_prefix("embeddings.norm.") {
        return Source::norm("embeddings.LayerNorm", kind);
    }
    let (layer, module, kind) = layer(canonical)?;
    let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
    match module {
        "qkv" => Source::linears(&qkv.map(|part| name(&format!("attention.self.{part}"))), kind),
        "attention_output" => Source::linear(&name("attention.output.dense"), kind),
        "attention_norm" => Source::norm(&name("attention.output.LayerNorm"), kind),
        "up" => Source::linear(&name("intermediate.dense"), kind),
        "down" => Source::linear(&name("output.dense"), kind),
        "output_norm" => Source::norm(&name("output.LayerNorm"), kind),
        _ => None,
    }
}

/// The names of the projections to queries, keys and values in BERT, RoBERTa and ELECTRA.
pub(super) const QKV: [&str; 3] = ["query", "key", "value"];
