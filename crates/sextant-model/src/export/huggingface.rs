//! Exporting a task as a Hugging Face folder for sequence classification.

use super::pair::write_pair_encoder;
use super::{Stack, card, write, write_folder, write_json};
use crate::bundle::Bundle;
use crate::families::Format;
use crate::stack::to_checkpoint;
use crate::{Archive, ModelError, Pooling};
use serde_json::{Value, json};
use sextant_core::{Grade, Task};
use sextant_files::Existing;
use std::path::Path;

/// Writes a task of a bundle as a folder with configuration, weights (`f32` safetensors, adapters merged),
/// tokenizer and model card. `transformers` opens it with `AutoModelForSequenceClassification` and
/// `PreTrainedTokenizerFast`, and Sextant with [`Backbone`](crate::backbone::Backbone).
///
/// # Errors
/// [`ModelError::Export`] for a model that the family's class cannot express, for example with ordinal heads,
/// without the dense layer before the head, or with another pooling.
pub fn huggingface(
    bundle: &Bundle,
    task: Task,
    folder: &Path,
    existing: Existing,
) -> Result<(), ModelError> {
    let stack = Stack::new(bundle, task)?;
    let format = Format::of(stack.backbone.family);
    check(&stack, format)?;
    let tensors = to_checkpoint(stack.spec(), stack.branch, &stack.values()?);
    write_folder(folder, existing, "config.json", |place| {
        write_json(place, "config.json", &config(&stack, format))?;
        Archive::write_for_torch(&place.join("model.safetensors"), &tensors)?;
        write_tokenizer(&stack, place)?;
        write(place, card::FILE, card::huggingface(&stack, format.class).as_bytes())
    })
}

/// Fails if the family's class computes something else than the bundle.
pub(super) fn check(stack: &Stack<'_>, format: &Format) -> Result<(), ModelError> {
    let spec = stack.spec();
    let class = format.class;
    let decoder = stack.backbone.block.causal;
    if spec.routing.mixture.is_some() {
        return Err(ModelError::Export(format!(
            "the bundle has a mixture of experts before its heads, but {class} has none; export ONNX, or train another routing"
        )));
    }
    if decoder && spec.dense {
        return Err(ModelError::Export(format!(
            "the bundle has a dense layer before its heads, but {class} has none; train with `model.dense = false`"
        )));
    }
    if !decoder && !spec.dense {
        return Err(ModelError::Export(format!(
            "the bundle's heads read the pooled vector directly (`model.dense = false`), but {class} has a dense layer before the head; train with `model.dense = true`, or export ONNX"
        )));
    }
    if format.poolings.contains(&spec.pooling) {
        return Ok(());
    }
    Err(ModelError::Export(format!(
        "the bundle pools by `{}`, but {class} reads the {} token; train with `model.pooling = \"{}\"`",
        match spec.pooling {
            Pooling::Cls => "cls",
            Pooling::Mean => "mean",
            Pooling::Last => "last",
        },
        if decoder { "last" } else { "first" },
        if decoder { "last" } else { "cls" },
    )))
}

fn config(stack: &Stack<'_>, format: &Format) -> Value {
    let mut config = (format.json)(&stack.backbone);
    let tokenizer = stack.bundle.encoder.tokenizer();
    let layout = tokenizer.layout();
    let dropout = stack.spec().head_dropout;
    let labels = Grade::ALL.map(|grade| (grade.index().to_string(), grade.as_str()));
    config["model_type"] = format.model_type.into();
    config["architectures"] = [format.class].as_slice().into();
    config["id2label"] = labels.iter().map(|(id, label)| (id.clone(), json!(label))).collect();
    config["label2id"] =
        Grade::ALL.iter().map(|grade| (grade.as_str().to_owned(), json!(grade.index()))).collect();
    config["problem_type"] = "single_label_classification".into();
    config["torch_dtype"] = "float32".into();
    // RoBERTa's `json` has set this key already, because the first position depends on it.
    if config.get("pad_token_id").is_none() {
        config["pad_token_id"] = tokenizer.pad_id().into();
    }
    let first = layout.open.first();
    for key in ["bos_token_id", "cls_token_id"] {
        config[key] = first.copied().into();
    }
    for key in ["eos_token_id", "sep_token_id"] {
        config[key] = layout.close.first().copied().into();
    }
    config[format.head_dropout] = dropout.into();
    if stack.spec().pooling == Pooling::Mean {
        config["classifier_pooling"] = "mean".into();
    }
    config
}

/// Writes `tokenizer.json`, the `tokenizer_config.json` that `transformers` needs beside it, and the Python
/// file that encodes pairs as in training.
pub(super) fn write_tokenizer(stack: &Stack<'_>, folder: &Path) -> Result<(), ModelError> {
    let encoder = &stack.bundle.encoder;
    let tokenizer = encoder.tokenizer();
    write(folder, "tokenizer.json", &tokenizer.to_bytes_for_pairs()?)?;
    let layout = tokenizer.layout();
    let token = |id: Option<&u32>| id.and_then(|&id| tokenizer.token(id));
    let mut inputs = vec!["input_ids", "attention_mask"];
    if stack.backbone.segment_types > 1 {
        inputs.push("token_type_ids");
    }
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": encoder.config().max_tokens,
        "model_input_names": inputs,
        "cls_token": token(layout.open.first()),
        "sep_token": token(layout.close.first()),
        "pad_token": tokenizer.token(tokenizer.pad_id()),
        "clean_up_tokenization_spaces": false,
    });
    write_json(folder, "tokenizer_config.json", &config)?;
    write_pair_encoder(stack, &inputs, folder)
}
