//! Decoders from GGUF files: sizes from the metadata, weights by the names of Hugging Face checkpoints.
//!
//! No maintained crate reads GGUF alone (`candle-core` does, with a tensor library behind it), so this
//! is our own reader of the format that ggml documents.

mod blocks;
mod file;
#[cfg(test)]
mod tests;
mod tokenizer;

pub(crate) use blocks::BlockType;
pub(crate) use file::Gguf;
pub(crate) use tokenizer::{pre_tokenizer, tokenizer};

use crate::ModelError;
use file::Value as Entry;
use serde_json::{Value, json};

/// What llama.cpp did to a tensor of the checkpoint, to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undo {
    Nothing,
    /// Rows of each of so many heads interleave the two halves that rotary positions turn.
    Interleaved(usize),
    /// A norm's scale is stored as one more than the checkpoint's.
    OnePlus,
}

impl Undo {
    /// Says why it cannot be undone on a tensor of this shape.
    pub(crate) fn check(self, shape: &[usize]) -> Result<(), String> {
        let Self::Interleaved(heads) = self else { return Ok(()) };
        let rows = if shape.len() > 1 { shape[0] } else { shape.iter().product() };
        let halves = heads.checked_mul(2).filter(|&halves| halves > 0);
        if shape.len() <= 2 && halves.is_some_and(|halves| rows.is_multiple_of(halves)) {
            return Ok(());
        }
        Err(format!("{shape:?} cannot be {heads} heads of an even width, as the metadata say"))
    }

    /// Undoes it on numbers whose rows have `width` of them.
    pub(crate) fn apply(self, values: Vec<f32>, width: usize) -> Vec<f32> {
        match self {
            Self::Nothing => values,
            Self::OnePlus => values.into_iter().map(|x| x - 1.0).collect(),
            Self::Interleaved(heads) => {
                let rows = values.len() / width.max(1);
                let dim = rows / heads.max(1);
                let mut undone = Vec::with_capacity(values.len());
                for row in 0..rows {
                    let (head, place) = (row / dim, row % dim);
                    let (half, j) = (place / (dim / 2), place % (dim / 2));
                    let from = head * dim + 2 * j + half;
                    undone.extend_from_slice(&values[from * width..][..width]);
                }
                undone
            }
        }
    }
}

/// How llama.cpp writes the checkpoints of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What it calls the architecture.
    pub(crate) architecture: &'static str,
    /// Whether rows of queries and keys are interleaved ([`Undo::Interleaved`]).
    pub(crate) interleaved: bool,
    /// Whether norms are stored as one more ([`Undo::OnePlus`]).
    pub(crate) one_plus: bool,
    /// Whether norms stand around sublayers.
    pub(crate) sandwich: bool,
    /// Whether the checkpoint states a query scale, which is not in the metadata: the root of a head's width
    /// or, in a model of so many layers, of the model's width by the number of heads.
    pub(crate) query_scale: Option<usize>,
}

/// The metadata as the `config.json` that the checkpoint had.
pub(crate) fn config(file: &Gguf, model_type: &str, dialect: Dialect) -> Result<Value, ModelError> {
    let architecture = dialect.architecture;
    let key = |name: &str| format!("{architecture}.{name}");
    let integer = |name: &str| file.integer(&key(name));
    let heads = integer("attention.head_count")?;
    if heads == 0 {
        return Err(ModelError::Weights {
            path: file.path().to_owned(),
            problem: format!("`{}` is 0; it must be at least 1", key("attention.head_count")),
        });
    }
    let layers = integer("block_count")?;
    let mut json = json!({
        "model_type": model_type,
        "vocab_size": file.list("tokenizer.ggml.tokens")?.len(),
        "hidden_size": integer("embedding_length")?,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": integer("attention.head_count_kv").unwrap_or(heads),
        "intermediate_size": integer("feed_forward_length")?,
        "max_position_embeddings": integer("context_length")?,
    });
    let mut give = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            json[name] = value;
        }
    };
    let float = |name: &str| file.float(&key(name));
    give("rms_norm_eps", float("attention.layer_norm_rms_epsilon")?.map(Into::into));
    give("rope_theta", float("rope.freq_base")?.map(Into::into));
    let head_dim = integer("attention.key_length").ok();
    give("head_dim", head_dim.map(Into::into));
    give("sliding_window", integer("attention.sliding_window").ok().map(Into::into));
    give("attn_logit_softcapping", float("attn_logit_softcapping")?.map(Into::into));
    if let Some(largest) = dialect.query_scale {
        let hidden = integer("embedding_length")?;
        let large = layers == largest;
        let scalar = if large { hidden / heads } else { head_dim.unwrap_or(256) };
        give("query_pre_attn_scalar", Some(scalar.into()));
    }
    if let Ok(kind) = file.text(&key("rope.scaling.type"))
        && kind != "none"
    {
        let factor = float("rope.scaling.factor")?.unwrap_or(1.0);
        give("rope_scaling", Some(json!({ "rope_type": kind, "factor": factor })));
    }
    if file.tensors.contains_key("rope_freqs.weight") {
        return Err(ModelError::Weights {
            path: file.path().to_owned(),
            problem: "has `rope_freqs.weight`, the rotary scaling of Llama 3.1 and later, whose parameters a GGUF file does not keep; use the safetensors checkpoint".into(),
        });
    }
    Ok(json)
}

/// A tensor's name in the checkpoint, and what to undo; none for what a model has no use for.
pub(crate) fn name(file: &Gguf, dialect: Dialect, name: &str) -> Option<(String, Undo)> {
    let architecture = dialect.architecture;
    let norm = if dialect.one_plus { Undo::OnePlus } else { Undo::Nothing };
    match name {
        "token_embd.weight" => return Some(("model.embed_tokens.weight".into(), Undo::Nothing)),
        "output_norm.weight" => return Some(("model.norm.weight".into(), norm)),
        "output.weight" => return Some(("lm_head.weight".into(), Undo::Nothing)),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (module, kind) = rest.rsplit_once('.')?;
    let heads = |key: &str| {
        let count = file.integer(&format!("{architecture}.attention.{key}")).ok();
        count.filter(|_| dialect.interleaved).map_or(Undo::Nothing, Undo::Interleaved)
    };
    let kv = file.find(&format!("{architecture}.attention.head_count_kv"));
    let keys = if matches!(kv, Some(Entry::Integer(_))) { "head_count_kv" } else { "head_count" };
    let (module, undo) = match module {
        "attn_q" => ("self_attn.q_proj", heads("head_count")),
        "attn_k" => ("self_attn.k_proj", heads(keys)),
        "attn_v" => ("self_attn.v_proj", Undo::Nothing),
        "attn_output" => ("self_attn.o_proj", Undo::Nothing),
        "attn_q_norm" => ("self_attn.q_norm", norm),
        "attn_k_norm" => ("self_attn.k_norm", norm),
        "ffn_gate" => ("mlp.gate_proj", Undo::Nothing),
        "ffn_up" => ("mlp.up_proj", Undo::Nothing),
        "ffn_down" => ("mlp.down_proj", Undo::Nothing),
        "attn_norm" => ("input_layernorm", norm),
        "ffn_norm" if dialect.sandwich => ("pre_feedforward_layernorm", norm),
        "ffn_norm" | "post_attention_norm" => ("post_attention_layernorm", norm),
        "post_ffw_norm" => ("post_feedforward_layernorm", norm),
        _ => return None,
    };
    Some((format!("model.layers.{layer}.{module}.{kind}"), undo))
}
