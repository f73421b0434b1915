//! Readers of files that describe a model.

use crate::Scratch;
use crate::seeds::golden;
use sextant_infer::EnsembleManifest;
use sextant_model::backbone::Backbone;
use sextant_model::{Adapter, bundle as bundles};
use sextant_text::{RowFormat, Tokenizer};

/// Texts that reach the parts of a tokenizer: words, digits, spaces, accents, other scripts, emoji.
const TEXTS: [&str; 5] = [
    "",
    "a drill 18V  for\twood\n",
    "Crème brûlée №5",
    "電動ドリル ١٢٣",
    "[CLS] 👩‍🔧\u{200b}e\u{301} </s>",
];

/// `tokenizer.json`.
pub(crate) fn tokenizer(_: &Scratch, bytes: &[u8]) {
    let formats = [RowFormat::BERT, RowFormat::ROBERTA, RowFormat::LINES];
    match Tokenizer::from_bytes(bytes, "tokenizer.json", &formats) {
        Ok(tokenizer) => {
            let _ = tokenizer.vocab_size();
            for text in TEXTS {
                let _ = tokenizer.encode(text);
            }
            let _ = tokenizer.to_bytes();
            let _ = tokenizer.to_bytes_for_pairs();
        }
        Err(error) => drop(error.to_string()),
    }
}

/// `config.json` of a backbone.
pub(crate) fn config(scratch: &Scratch, bytes: &[u8]) {
    scratch.file("config.json", bytes);
    match Backbone::open(scratch.path()) {
        Ok(backbone) => drop(format!("{backbone:?}")),
        Err(error) => drop(error.to_string()),
    }
    scratch.remove("config.json");
}

/// `adapter_config.json`, beside valid tensors.
pub(crate) fn adapter(scratch: &Scratch, bytes: &[u8]) {
    let tensors = scratch.path().join("adapter_model.safetensors");
    if !tensors.exists() {
        scratch.file("adapter_model.safetensors", &golden("peft/some/adapter_model.safetensors"));
    }
    scratch.file("adapter_config.json", bytes);
    match Adapter::open(scratch.path()) {
        Ok(adapter) => {
            drop(format!("{:?} {:?} {:?}", adapter.base(), adapter.task(), adapter.text()));
        }
        Err(error) => drop(error.to_string()),
    }
}

/// `bundle.json`.
pub(crate) fn bundle(scratch: &Scratch, bytes: &[u8]) {
    scratch.file("bundle.json", bytes);
    match bundles::read_manifest(scratch.path()) {
        Ok(manifest) => drop(format!("{manifest:?}")),
        Err(error) => drop(error.to_string()),
    }
}

/// `ensemble.json`.
pub(crate) fn ensemble(scratch: &Scratch, bytes: &[u8]) {
    scratch.file("ensemble.json", bytes);
    match EnsembleManifest::read(scratch.path()) {
        Ok(manifest) => drop(format!("{manifest:?}")),
        Err(error) => drop(error.to_string()),
    }
}
