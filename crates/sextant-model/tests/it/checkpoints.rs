//! The formats of checkpoints, and errors in them.

use crate::families::{Golden, all, folder, loaded, plain};
use crate::support::{assert_close, floats, forward, pack};
use burn::tensor::Device;
use sextant_core::Task;
use sextant_model::backbone::Backbone;
use sextant_model::{Archive, ModelError, RelevanceModel, Values, dump};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) fn tensors(family: &str) -> BTreeMap<String, Values> {
    let archive = Archive::read(&folder(family).join("model.safetensors"), |_| false).unwrap();
    let read = |name: &str| {
        let shape = archive.shape(name).unwrap().to_vec();
        let data = archive.get(name, &shape).unwrap().to_vec();
        (name.to_owned(), Values { shape, data })
    };
    archive.names().map(read).collect()
}

/// A folder with a family's `config.json` after a change.
pub(crate) fn configured(
    family: &str,
    change: impl FnOnce(&mut serde_json::Value),
) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(folder(family).join("config.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    change(&mut json);
    std::fs::write(place.path().join("config.json"), json.to_string()).unwrap();
    place
}

pub(crate) fn load(place: &Path) -> Result<RelevanceModel, ModelError> {
    let backbone = Backbone::open(place)?;
    backbone.load_into(RelevanceModel::zeros(plain(&backbone), &Device::flex())?)
}

pub(crate) fn check(place: &Path, family: &str) {
    let golden = Golden::read(family);
    let model = loaded(place, plain(&Backbone::open(place).unwrap()), &Device::flex());
    let found = forward(&model, &pack(&golden.rows(|_| Task::QueryProduct)));
    assert_close(&floats(found), &golden.logits.concat(), 1e-4, family);
}

#[test]
fn shards_are_read_and_a_missing_one_is_named() {
    let place = configured("electra", |_| {});
    let mut files: [BTreeMap<String, Values>; 2] = Default::default();
    let mut map = serde_json::Map::new();
    for (i, (name, values)) in tensors("electra").into_iter().enumerate() {
        map.insert(name.clone(), format!("model-{}.safetensors", i % 2).into());
        files[i % 2].insert(name, values);
    }
    let write_index = |map: &serde_json::Map<String, serde_json::Value>| {
        let index = serde_json::json!({ "weight_map": map });
        let path = place.path().join("model.safetensors.index.json");
        std::fs::write(path, index.to_string()).unwrap();
    };
    write_index(&map);
    for (i, tensors) in files.iter().enumerate() {
        Archive::write(&place.path().join(format!("model-{i}.safetensors")), tensors).unwrap();
    }
    check(place.path(), "electra");

    let first = map.keys().next().unwrap().clone();
    map.insert("electra.extra".to_owned(), "model-0.safetensors".into());
    write_index(&map);
    let error = load(place.path()).unwrap_err().to_string();
    assert!(error.contains("`electra.extra` is not in `model-0.safetensors`"), "{error}");
    map.remove("electra.extra");
    map.insert(first, "../model-0.safetensors".into());
    write_index(&map);
    let error = load(place.path()).unwrap_err().to_string();
    assert!(error.contains("not a file beside it"), "{error}");

    std::fs::remove_file(place.path().join("model-1.safetensors")).unwrap();
    map.retain(|_, file| !file.as_str().unwrap().starts_with(".."));
    write_index(&map);
    let error = load(place.path()).unwrap_err().to_string();
    assert!(error.contains("`model-1.safetensors`, which is missing"), "{error}");
}

#[test]
fn pytorchs_own_format_is_read_and_a_broken_file_is_an_error() {
    let place = configured("roberta", |_| {});
    let path = place.path().join("pytorch_model.bin");
    std::fs::copy(folder("roberta").join("pytorch_model.bin"), &path).unwrap();
    check(place.path(), "roberta");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = load(place.path()).unwrap_err().to_string();
    assert!(error.contains("pytorch_model.bin") && error.contains("save_pretrained"), "{error}");
}

#[test]
fn names_of_old_checkpoints_are_read() {
    let place = configured("bert", |_| {});
    let old = |name: String| {
        name.replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta")
    };
    let renamed = tensors("bert").into_iter().map(|(name, values)| (old(name), values)).collect();
    Archive::write(&place.path().join("model.safetensors"), &renamed).unwrap();
    check(place.path(), "bert");
}

#[test]
fn a_wrong_checkpoint_is_told_by_tensor() {
    let place = configured("bert", |_| {});
    let path = place.path().join("model.safetensors");
    let whole = tensors("bert");
    let name = "bert.encoder.layer.1.attention.self.key.weight";
    for (change, expected) in [
        (0, "is missing"),
        (1, "has shape [16, 8]; the model needs [16, 16]"),
        (2, "is not part of this architecture"),
    ] {
        let mut tensors = whole.clone();
        match change {
            0 => drop(tensors.remove(name)),
            1 => {
                tensors
                    .insert(name.to_owned(), Values { shape: vec![16, 8], data: vec![0.0; 128] });
            }
            _ => {
                let more = Values { shape: vec![1], data: vec![0.0] };
                tensors.insert("bert.encoder.layer.2.output.dense.bias".to_owned(), more);
            }
        }
        Archive::write(&path, &tensors).unwrap();
        let error = load(place.path()).unwrap_err().to_string();
        assert!(error.contains("bert.encoder.layer.") && error.contains(expected), "{error}");
    }
}

#[test]
fn what_no_family_computes_is_told_by_key() {
    let refused = |family: &str, key: &str, value: serde_json::Value| {
        let place = configured(family, |json| json[key] = value);
        Backbone::open(place.path()).unwrap_err().to_string()
    };
    let error = refused("bert", "model_type", "t5".into());
    for name in [
        "`t5`",
        "bert",
        "roberta",
        "xlm-roberta",
        "electra",
        "distilbert",
        "modernbert",
        "deberta-v2",
        "llama",
        "gemma3_text",
    ] {
        assert!(error.contains(name), "{name}: {error}");
    }
    for (family, key, value) in [
        ("bert", "hidden_act", serde_json::json!("relu")),
        ("bert", "is_decoder", true.into()),
        ("roberta", "add_cross_attention", true.into()),
        ("roberta", "position_embedding_type", "relative_key".into()),
        ("roberta", "max_position_embeddings", 2.into()),
        ("distilbert", "activation", "relu".into()),
        ("modernbert", "hidden_activation", "silu".into()),
        ("llama", "hidden_act", "gelu".into()),
        ("gemma2", "hidden_activation", "silu".into()),
        ("qwen2", "use_bidirectional_attention", true.into()),
        ("deberta_v2", "conv_kernel_size", 3.into()),
        ("deberta_v2", "share_att_key", false.into()),
        ("deberta_v2", "pos_att_type", serde_json::json!(["c2p"])),
    ] {
        let error = refused(family, key, value);
        assert!(error.contains(key) && error.contains("config.json"), "{family}: {error}");
    }
}

#[test]
fn both_generations_of_modernberts_file_say_the_same() {
    let new = Backbone::open(&folder("modernbert")).unwrap();
    let old = configured("modernbert", |json| {
        let keys = json.as_object_mut().unwrap();
        keys.remove("layer_types");
        keys.remove("rope_parameters");
        keys.insert("global_rope_theta".to_owned(), 160_000.0.into());
        keys.insert("local_rope_theta".to_owned(), 10_000.0.into());
    });
    assert_eq!(Backbone::open(old.path()).unwrap().config(), new.config());
    assert_eq!(new.config().block.windowed_layers, [false, true, false]);
}

#[test]
fn a_head_of_another_kind_is_left_out() {
    let place = configured("bert", |json| {
        json["id2label"] =
            serde_json::json!({ "0": "entailment", "1": "neutral", "2": "contradiction" });
    });
    let source = folder("bert").join("model.safetensors");
    std::fs::copy(source, place.path().join("model.safetensors")).unwrap();
    let backbone = Backbone::open(place.path()).unwrap();
    let error = backbone.check_relevance_head().unwrap_err().to_string();
    assert!(error.contains("entailment, neutral, contradiction"), "{error}");
    Backbone::open(&folder("bert")).unwrap().check_relevance_head().unwrap();
    let bare = Backbone::open(&folder("bert").join("base")).unwrap();
    let error = bare.check_relevance_head().unwrap_err().to_string();
    assert!(error.contains("no tensor `classifier.weight`"), "{error}");
    let model = load(place.path()).unwrap();
    assert!(floats(model.branches[0].classifier.weight.val()).iter().all(|x| *x == 0.0));
}

#[test]
fn both_generations_of_decoders_files_say_the_same() {
    let old = configured("gemma3", |json| {
        let keys = json.as_object_mut().unwrap();
        keys.remove("layer_types");
        keys.remove("rope_parameters");
        keys.insert("sliding_window_pattern".to_owned(), 3.into());
        keys.insert("rope_theta".to_owned(), 1000.0.into());
        keys.insert("rope_local_base_freq".to_owned(), 100.0.into());
        keys.insert(
            "rope_scaling".to_owned(),
            serde_json::json!({ "rope_type": "linear", "factor": 8.0 }),
        );
    });
    let new = Backbone::open(&folder("gemma3")).unwrap();
    assert_eq!(Backbone::open(old.path()).unwrap().config(), new.config());
    assert_eq!(new.config().block.windowed_layers, [true, true, false]);
    let error = configured("llama", |json| json["rope_parameters"]["rope_type"] = "yarn".into());
    let error = Backbone::open(error.path()).unwrap_err().to_string();
    assert!(error.contains("`yarn`") && error.contains("llama3"), "{error}");
}

/// PyTorch's ONNX export (`scripts/goldens/onnx_bert.py`) is read with the same values as the checkpoint.
#[test]
fn an_onnx_export_is_read_by_its_initialisers() {
    let place = configured("bert", |_| {});
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/bert.onnx");
    std::fs::copy(&export, place.path().join("model.onnx")).unwrap();
    let (found, expected) =
        (dump(&load(place.path()).unwrap()), dump(&load(&folder("bert")).unwrap()));
    let of_backbone =
        |name: &&String| name.starts_with("embeddings.") || name.starts_with("trunk.");
    assert!(expected.keys().filter(of_backbone).count() > 20);
    for name in expected.keys().filter(of_backbone) {
        assert!(found[name] == expected[name], "{name}");
    }
    let bytes = std::fs::read(export).unwrap();
    std::fs::write(place.path().join("model.onnx"), &bytes[..bytes.len() / 2]).unwrap();
    let error = load(place.path()).unwrap_err().to_string();
    assert!(error.contains("model.onnx") && error.contains("ONNX"), "{error}");
}

/// The first layers of a backbone are those of the whole one, in every family; a checkpoint of other layers than
/// `config.json` states is still refused.
#[test]
fn the_first_layers_can_be_kept() {
    for family in all() {
        let open = || Backbone::open(&folder(family)).unwrap();
        let load = |backbone: &Backbone| {
            let zeros = RelevanceModel::zeros(plain(backbone), &Device::flex()).unwrap();
            dump(&backbone.load_into(zeros).unwrap_or_else(|error| panic!("{family}: {error}")))
        };
        let (all, whole) = (open().config().layers, load(&open()));
        assert!(all > 1, "{family}");
        let first = load(&open().first_layers(all - 1).unwrap());
        assert!(first.len() < whole.len(), "{family}");
        for (name, values) in &first {
            assert!(whole[name] == *values, "{family}: {name}");
        }
        for wrong in [0, all + 1] {
            let error = open().first_layers(wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong} layers of")), "{family}: {error}");
        }
    }
    let place = configured("bert", |json| json["num_hidden_layers"] = 1.into());
    std::fs::copy(folder("bert").join("model.safetensors"), place.path().join("model.safetensors"))
        .unwrap();
    let error = load(place.path()).unwrap_err().to_string();
    assert!(error.contains("is not part of this architecture"), "{error}");
}
