//! A bundle that was saved is loaded again bit for bit, or refused.

use crate::support::{floats, forward, rows, spec};
use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use sextant_core::Task;
use sextant_files::Existing;
use sextant_model::{
    Archive, BackboneConfig, HeadKind, ModelSpec, Pooling, RelevanceModel, Routing, Values, bundle,
    dump, initialize,
};
use sextant_text::{Encoder, Pack, TextConfig, train_wordpiece};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn encoder() -> Encoder {
    let texts = ["red sofa", "blue lamp", "cordless drill", "sofas and lamps"].map(str::to_owned);
    Encoder::new(train_wordpiece(&texts, 60).unwrap(), TextConfig::default()).unwrap()
}

fn model(routing: Routing, head: HeadKind, seed: u64) -> RelevanceModel {
    let backbone = BackboneConfig {
        hidden_size: 16,
        layers: 2,
        attention_heads: 2,
        intermediate_size: 24,
        ..BackboneConfig::small(50)
    };
    let spec = ModelSpec { head, dense: true, ..spec(backbone, routing, Pooling::Cls) };
    initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), seed)
}

/// A bundle in a temporary folder.
fn saved() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("bundle");
    let provenance = serde_json::json!({"seed": 1});
    let model = model(Routing::mhp(1), HeadKind::Softmax, 1);
    bundle::save(&folder, Existing::Own, &model, &encoder(), provenance).unwrap();
    (place, folder)
}

fn refusal(folder: &Path) -> String {
    bundle::open(folder, &Device::flex()).unwrap_err().to_string()
}

#[test]
fn a_reloaded_bundle_gives_bit_equal_logits() {
    let place = tempfile::tempdir().unwrap();
    let rows = rows(&[(Task::QueryProduct, 9), (Task::TypeType, 4), (Task::QueryProduct, 1)]);
    let pack = Pack::new(&rows.iter().enumerate().collect::<Vec<_>>());
    for routing in [Routing::TEXT_PREFIX, Routing::MULTI_HEAD, Routing::mhp(1)] {
        for head in [HeadKind::Softmax, HeadKind::Cumulative] {
            let folder = place.path().join(format!("{}-{head:?}", routing.label()));
            let model = model(routing, head, 7);
            bundle::save(&folder, Existing::Own, &model, &encoder(), serde_json::Value::Null)
                .unwrap();
            let loaded = bundle::open(&folder, &Device::flex()).unwrap();
            assert_eq!(dump(&loaded.model), dump(&model));
            assert_eq!(loaded.manifest.spec, *model.spec());
            assert_eq!(loaded.encoder.config(), encoder().config());
            let bits =
                |model| floats(forward(model, &pack)).into_iter().map(f32::to_bits).collect();
            let (before, after): (Vec<_>, Vec<_>) = (bits(&model), bits(&loaded.model));
            assert_eq!(before, after, "{}", folder.display());
        }
    }
}

#[test]
fn saving_replaces_a_bundle_and_nothing_else() {
    let (place, folder) = saved();
    let newer = model(Routing::MULTI_HEAD, HeadKind::Softmax, 2);
    bundle::save(&folder, Existing::Own, &newer, &encoder(), serde_json::Value::Null).unwrap();
    assert_eq!(dump(&bundle::open(&folder, &Device::flex()).unwrap().model), dump(&newer));
    // No temporary folder is left beside the bundle.
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);

    let other = place.path().join("precious");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.tex"), "…").unwrap();
    let save =
        |existing| bundle::save(&other, existing, &newer, &encoder(), serde_json::Value::Null);
    let error = save(Existing::Refuse).unwrap_err();
    assert!(error.to_string().contains("a folder with thesis.tex"), "{error}");
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1);
    save(Existing::Overwrite).unwrap();
    assert!(other.join("thesis.tex").exists());
    assert_eq!(dump(&bundle::open(&other, &Device::flex()).unwrap().model), dump(&newer));
}

#[test]
fn a_folder_that_is_no_bundle_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let error = refusal(place.path());
    assert!(error.contains("not a bundle") && error.contains("bundle.json"), "{error}");
}

#[test]
fn a_newer_format_is_refused_before_anything_else_is_read() {
    let (_place, folder) = saved();
    let path = folder.join("bundle.json");
    let newer = std::fs::read_to_string(&path).unwrap().replacen(
        "\"format_version\": 1",
        "\"format_version\": 2, \"shape\": \"unheard of\"",
        1,
    );
    std::fs::write(&path, newer).unwrap();
    let error = refusal(&folder);
    assert!(error.contains("format version 2") && error.contains("bundle.json"), "{error}");
}

#[test]
fn files_that_were_changed_or_cut_are_refused_by_name() {
    for file in ["model.safetensors", "tokenizer.json"] {
        for change in [
            |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
            |bytes: &mut Vec<u8>| {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
            },
        ] {
            let (_place, folder) = saved();
            let path = folder.join(file);
            let mut bytes = std::fs::read(&path).unwrap();
            change(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
            let error = refusal(&folder);
            assert!(error.contains(file) && error.contains("SHA-256"), "{error}");
        }
    }
    let (_place, folder) = saved();
    std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
    assert!(refusal(&folder).contains("tokenizer.json"));
}

/// Writes the values of `dump` after a change, and returns the error of loading them.
fn load_changed(change: impl FnOnce(&mut BTreeMap<String, Values>)) -> String {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model.safetensors");
    let model = model(Routing::MULTI_HEAD, HeadKind::Softmax, 1);
    let mut values = dump(&model);
    change(&mut values);
    Archive::write(&path, &values).unwrap();
    bundle::load_weights(model, &path).unwrap_err().to_string()
}

#[test]
fn missing_unexpected_and_misshapen_tensors_are_named() {
    let name = "branches.type-type.classifier.weight";
    let error = load_changed(|values| drop(values.remove(name)));
    assert!(error.contains(name) && error.contains("missing"), "{error}");
    let error = load_changed(|values| {
        let extra = values[name].clone();
        values.insert("branches.type-type.score".into(), extra);
    });
    assert!(error.contains("branches.type-type.score"), "{error}");
    let error = load_changed(|values| {
        let values = values.get_mut(name).unwrap();
        values.shape.reverse();
    });
    assert!(
        error.contains(name) && error.contains("[3, 16]") && error.contains("[16, 3]"),
        "{error}"
    );
}

#[test]
fn foreign_files_and_number_types_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model.safetensors");
    let model = || model(Routing::MULTI_HEAD, HeadKind::Softmax, 1);
    for bytes in [&b"PK\x03\x04 a zip archive, not weights"[..], b"", &[0xff; 64]] {
        std::fs::write(&path, bytes).unwrap();
        let error = bundle::load_weights(model(), &path).unwrap_err().to_string();
        assert!(error.contains("not a whole safetensors file"), "{error}");
    }
    let numbers = [1_u8; 8];
    let view = TensorView::new(Dtype::I64, vec![1], &numbers).unwrap();
    let bytes = safetensors::serialize([("steps", view)], None).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let error = bundle::load_weights(model(), &path).unwrap_err().to_string();
    assert!(error.contains("`steps`") && error.contains("I64"), "{error}");
}
