//! Reading decoders from GGUF files: their sizes from the metadata, and their weights under the names of
//! Hugging Face checkpoints.
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

/// A change that llama.cpp made to a tensor of the checkpoint, and that reading undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undo {
    /// The tensor was not changed.
    Nothing,
    /// In each of this many heads, the rows of the two halves that rotary positions rotate are interleaved.
    Interleaved(usize),
    /// One was added to the scale of a norm.
    OnePlus,
}

impl Undo {
    /// Fails, with the reason, if the change cannot be undone on a tensor of this shape.
    pub(crate) fn check(self, shape: &[usize]) -> Result<(), String> {
        let Self::Interleaved(heads) = self else { return Ok(()) };
        let rows = if shape.len() > 1 { shape[0] } else { shape.iter().product() };
        let halves = heads.checked_mul(2).filter(|&halves| halves > 0);
        if shape.len() <= 2 && halves.is_some_and(|halves| rows.is_multiple_of(halves)) {
            return Ok(());
        }
        Err(format!("{shape:?} cannot be {heads} heads of an even width, as the metadata say"))
    }

    /// Undoes the change on the values of a tensor whose rows have `width` numbers.
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
    /// The value of `general.architecture`.
    pub(crate) architecture: &'static str,
    /// Whether rows of queries and keys are interleaved ([`Undo::Interleaved`]).
    pub(crate) interleaved: bool,
    /// Whether one was added to the scales of norms ([`Undo::OnePlus`]).
    pub(crate) one_plus: bool,
    /// Whether norms stand before and after each sublayer.
    pub(crate) sandwich: bool,
    /// Whether the checkpoint's `config.json` has `query_pre_attn_scalar`, which the metadata lack. Its value
    /// is the width of a head or, in a model with this number of layers, the model's width divided by the
    /// number of heads.
    pub(crate) query_scale: Option<usize>,
}

/// Converts the metadata to the `config.json` of the checkpoint from which the file was made.
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

/// A tensor's name in the checkpoint, and the change that reading it undoes; `None` for a tensor that is not
/// part of the architecture.
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
