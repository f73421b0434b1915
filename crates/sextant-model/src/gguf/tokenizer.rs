//! The tokenizer of a GGUF file, rebuilt as the `tokenizer.json` that it was made from.

use super::file::{Gguf, Value as Entry};
use crate::ModelError;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The pre-tokenizer, which splits texts before merges are applied, with this name in llama.cpp: GPT-2's
/// pattern, the same after splitting off single digits, or a family's own pattern. `None` for an unknown
/// name.
pub(crate) fn pre_tokenizer(name: &str) -> Option<Value> {
    let bytes = |pattern: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": pattern });
    let split = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let sequence = |parts: Vec<Value>| json!({ "type": "Sequence", "pretokenizers": parts });
    Some(match name {
        "gpt-2" | "default" => bytes(true),
        "smollm" => {
            sequence(vec![json!({ "type": "Digits", "individual_digits": true }), bytes(true)])
        }
        "qwen2" => sequence(vec![
            split(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            ),
            bytes(false),
        ]),
        "llama-bpe" => sequence(vec![
            split(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            ),
            bytes(false),
        ]),
        _ => return None,
    })
}

/// The contents of a `tokenizer.json`, made from the metadata of a GGUF file.
pub(crate) fn tokenizer(file: &Gguf) -> Result<Vec<u8>, ModelError> {
    let tokens = file.texts("tokenizer.ggml.tokens")?;
    let vocabulary: Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id.into())).collect();
    let kinds: &[Entry] = file.list("tokenizer.ggml.token_type").unwrap_or_default();
    // Type 3 is for control tokens, type 4 for tokens that a user added.
    let added: Vec<Value> = kinds
        .iter()
        .zip(&tokens)
        .enumerate()
        .filter(|(_, (kind, _))| matches!(kind, Entry::Integer(3 | 4)))
        .map(|(id, (kind, token))| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": matches!(kind, Entry::Integer(3)),
            })
        })
        .collect();
    let problem = |problem: String| ModelError::Weights { path: file.path().to_owned(), problem };
    let kind = file.text("tokenizer.ggml.model")?;
    let json = match kind {
        "gpt2" => {
            let name = file.text("tokenizer.ggml.pre").unwrap_or("default");
            let pre = pre_tokenizer(name).ok_or_else(|| {
                problem(format!(
                    "its tokenizer cuts texts as `{name}`; supported: gpt-2, smollm, qwen2, llama-bpe: put the model's tokenizer.json beside the file"
                ))
            })?;
            let merges = pairs(&file.texts("tokenizer.ggml.merges")?);
            json!({
                "normalizer": if name == "qwen2" { json!({ "type": "NFC" }) } else { Value::Null },
                "pre_tokenizer": pre,
                "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
                "model": {
                    "type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
                    "byte_fallback": false, "ignore_merges": name == "llama-bpe",
                    "vocab": vocabulary, "merges": merges,
                },
            })
        }
        "llama" => {
            let merges = merges_of_scores(file, &tokens)?;
            let prefix =
                !matches!(file.find("tokenizer.ggml.add_space_prefix"), Some(Entry::Bool(false)));
            let replace =
                json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
            let normalizer = if prefix {
                json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "▁" }, replace] })
            } else {
                replace
            };
            json!({
                "normalizer": normalizer,
                "pre_tokenizer": null,
                "decoder": { "type": "Sequence", "decoders": [
                    { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
                    { "type": "ByteFallback" }, { "type": "Fuse" },
                ] },
                "model": {
                    "type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true,
                    "byte_fallback": true, "ignore_merges": false,
                    "vocab": vocabulary, "merges": merges,
                },
            })
        }
        other => {
            return Err(problem(format!(
                "its tokenizer is a `{other}`; supported: gpt2, llama: put the model's tokenizer.json beside the file"
            )));
        }
    };
    let mut whole = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "post_processor": null,
    });
    if let (Value::Object(whole), Value::Object(json)) = (&mut whole, json) {
        whole.extend(json);
    }
    serde_json::to_vec(&whole).map_err(|error| problem(error.to_string()))
}

/// Splits merges, which are written as `left right`. The tokens of this kind of vocabulary have no spaces.
fn pairs(merges: &[&str]) -> Vec<[String; 2]> {
    let pair = |merge: &&str| {
        let (left, right) = merge.split_once(' ')?;
        Some([left.to_owned(), right.to_owned()])
    };
    merges.iter().filter_map(pair).collect()
}

/// The merges of a SentencePiece vocabulary, derived from the scores of its tokens: every way to make a token
/// of two others. They are ordered as by Hugging Face's converter of SentencePiece models: higher scores
/// first, then longer parts.
fn merges_of_scores(file: &Gguf, tokens: &[&str]) -> Result<Vec<[String; 2]>, ModelError> {
    let scores: Vec<f64> = file
        .list("tokenizer.ggml.scores")?
        .iter()
        .map(|score| match score {
            Entry::Float(x) => *x,
            Entry::Integer(n) => *n as f64,
            _ => 0.0,
        })
        .collect();
    if scores.len() != tokens.len() {
        return Err(ModelError::Weights {
            path: file.path().to_owned(),
            problem: format!(
                "its metadata have {} `tokenizer.ggml.scores` for {} `tokenizer.ggml.tokens`; fetch or copy it again",
                scores.len(),
                tokens.len()
            ),
        });
    }
    let ids: HashMap<&str, usize> =
        tokens.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    let mut merges = Vec::new();
    for (token, &score) in tokens.iter().zip(&scores) {
        let mut ways: Vec<(usize, usize, &str, &str)> = token
            .char_indices()
            .skip(1)
            .filter_map(|(at, _)| {
                let (left, right) = token.split_at(at);
                Some((*ids.get(left)?, *ids.get(right)?, left, right))
            })
            .collect();
        ways.sort_unstable_by_key(|&(left, right, ..)| (left, right));
        merges.extend(ways.into_iter().map(|(_, _, left, right)| (score, left, right)));
    }
    let lengths = |left: &str, right: &str| (left.chars().count(), right.chars().count());
    // The sort must be stable, as Python's is, so that equal merges keep their order.
    merges.sort_by(|a, b| {
        b.0.total_cmp(&a.0).then_with(|| lengths(b.1, b.2).cmp(&lengths(a.1, a.2)))
    });
    Ok(merges.into_iter().map(|(_, left, right)| [left.to_owned(), right.to_owned()]).collect())
}
