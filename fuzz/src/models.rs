//! Readers of files that describe a model.

use crate::seeds::golden;
use crate::{Scratch, is_read};
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
pub(crate) fn tokenizer(_: &Scratch, bytes: &[u8]) -> bool {
    let formats = [RowFormat::BERT, RowFormat::ROBERTA, RowFormat::LINES];
    let tokenizer = Tokenizer::from_bytes(bytes, "tokenizer.json", &formats);
    if let Ok(tokenizer) = &tokenizer {
        let _ = tokenizer.vocab_size();
        for text in TEXTS {
            let _ = tokenizer.encode(text);
        }
        let _ = tokenizer.to_bytes();
        let _ = tokenizer.to_bytes_for_pairs();
    }
    is_read(tokenizer.map(|_| ()))
}

/// `config.json` of a backbone.
pub(crate) fn config(scratch: &Scratch, bytes: &[u8]) -> bool {
    scratch.file("config.json", bytes);
    let read = is_read(Backbone::open(scratch.path()));
    scratch.remove("config.json");
    read
}

/// `adapter_config.json`, beside valid tensors.
pub(crate) fn adapter(scratch: &Scratch, bytes: &[u8]) -> bool {
    let tensors = scratch.path().join("adapter_model.safetensors");
    if !tensors.exists() {
        scratch.file("adapter_model.safetensors", &golden("peft/some/adapter_model.safetensors"));
    }
    scratch.file("adapter_config.json", bytes);
    let adapter = Adapter::open(scratch.path());
    is_read(
        adapter.map(|adapter| {
            format!("{:?} {:?} {:?}", adapter.base(), adapter.task(), adapter.text())
        }),
    )
}

/// `bundle.json`.
pub(crate) fn bundle(scratch: &Scratch, bytes: &[u8]) -> bool {
    scratch.file("bundle.json", bytes);
    is_read(bundles::read_manifest(scratch.path()))
}

/// `ensemble.json`.
pub(crate) fn ensemble(scratch: &Scratch, bytes: &[u8]) -> bool {
    scratch.file("ensemble.json", bytes);
    is_read(EnsembleManifest::read(scratch.path()))
}
