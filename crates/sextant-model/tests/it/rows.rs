//! Rows are laid out as the family states, and bundles keep that layout.

use crate::checkpoints::configured;
use crate::families::plain;
use burn::tensor::Device;
use serde_json::{Value, json};
use sextant_files::Existing;
use sextant_model::backbone::Backbone;
use sextant_model::{RelevanceModel, bundle, initialize};
use sextant_text::{Encoder, TextConfig, Tokenizer};
use std::path::Path;

/// A vocabulary with the special tokens of RoBERTa, which are also those of a Llama to which `<pad>` was
/// added.
fn vocabulary() -> String {
    json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" }, "decoder": null,
        "model": { "type": "WordLevel", "unk_token": "<unk>", "vocab":
            { "<s>": 0, "</s>": 1, "<pad>": 2, "<unk>": 3, "red": 4, "sofa": 5 } },
    })
    .to_string()
}

/// The row of `red` and `sofa`.
fn row(tokenizer: &Tokenizer) -> Vec<u32> {
    tokenizer.layout().assemble(&[4], &[5]).0
}

const OF_ENCODERS: [u32; 6] = [0, 4, 1, 1, 5, 1];
/// This vocabulary has no token for the end of a line.
const OF_DECODERS: [u32; 5] = [0, 4, 1, 5, 1];

/// A family's bundle with this vocabulary, in a folder.
fn saved(family: &str, place: &Path) -> Value {
    let folder = configured(family, |_| {});
    std::fs::write(folder.path().join("tokenizer.json"), vocabulary()).unwrap();
    let backbone = Backbone::open(folder.path()).unwrap();
    let config = TextConfig { max_tokens: 16, ..TextConfig::default() };
    let encoder = Encoder::new(backbone.tokenizer().unwrap(), config).unwrap();
    let model = RelevanceModel::zeros(plain(&backbone), &Device::flex()).unwrap();
    bundle::save(place, Existing::Own, &initialize(model, 1), &encoder, Value::Null).unwrap();
    manifest(place)
}

fn manifest(place: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(place.join("bundle.json")).unwrap()).unwrap()
}

fn opened(place: &Path) -> Result<Vec<u32>, String> {
    let bundle = bundle::open(place, &Device::flex()).map_err(|error| error.to_string())?;
    Ok(row(bundle.encoder.tokenizer()))
}

#[test]
fn a_bundle_keeps_the_rows_of_its_family() {
    let place = tempfile::tempdir().unwrap();
    let (encoder, decoder) = (place.path().join("encoder"), place.path().join("decoder"));
    // A layout that follows from the vocabulary is not stated, so that the manifest is the same as in older
    // versions.
    assert_eq!(saved("xlm_roberta", &encoder).get("rows"), None);
    assert_eq!(opened(&encoder).unwrap(), OF_ENCODERS);
    let mut stated = saved("llama", &decoder);
    let layout = json!({ "open": [0], "between": [1], "close": [1], "right_segment": 0 });
    assert_eq!(stated["rows"], json!({ "layout": layout, "pad_id": 2 }));
    assert_eq!(opened(&decoder).unwrap(), OF_DECODERS);
    // Before manifests stated layouts, such a bundle was trained with the layout that follows from its
    // vocabulary, and it must still be read with that layout.
    let write = |json: &Value| {
        std::fs::write(decoder.join("bundle.json"), json.to_string()).unwrap();
    };
    stated.as_object_mut().unwrap().remove("rows");
    write(&stated);
    assert_eq!(opened(&decoder).unwrap(), OF_ENCODERS);
    stated["rows"] = json!({ "layout": layout, "pad_id": 60 });
    write(&stated);
    let error = opened(&decoder).unwrap_err();
    assert!(error.contains("tokenizer.json") && error.contains("the id 60"), "{error}");
}

#[test]
fn a_vocabulary_of_another_family_is_refused() {
    for family in ["gemma", "modernbert"] {
        let folder = configured(family, |_| {});
        let text = vocabulary().replace("<s>", "<x>");
        std::fs::write(folder.path().join("tokenizer.json"), text).unwrap();
        let error = Backbone::open(folder.path()).unwrap().tokenizer().unwrap_err().to_string();
        let needed = if family == "gemma" { "one of `<bos>`" } else { "need `[CLS]`" };
        for part in ["tokenizer.json has no token", needed, "trained with it"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
