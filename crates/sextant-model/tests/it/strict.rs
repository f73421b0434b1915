//! Every family refuses an incomplete checkpoint with an error that names what is wrong, and reads
//! checkpoints with other spellings of names and labels.

use crate::checkpoints::{check, configured, load, tensors};
use crate::families::{all, folder, plain};
use crate::support::floats;
use burn::tensor::Device;
use serde_json::json;
use sextant_model::backbone::Backbone;
use sextant_model::{
    Adapter, Archive, BackboneConfig, ModelError, RelevanceModel, Values, bundle, dump, initialize,
};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) type Tensors = BTreeMap<String, Values>;

pub(crate) fn write(place: &Path, tensors: &Tensors) {
    Archive::write(&place.join("model.safetensors"), tensors).unwrap();
}

/// Imports a folder.
fn import(place: &Path) -> Result<RelevanceModel, ModelError> {
    let backbone = Backbone::open(place)?;
    backbone.check_relevance_head()?;
    let model = RelevanceModel::zeros(plain(&backbone), &Device::flex())?;
    backbone.load_into(initialize(model, 1))
}

/// A parameter that the checkpoint lacks, and one that it has, are the same as if all were initialised first.
#[test]
fn only_what_a_checkpoint_lacks_is_initialised() {
    for family in all() {
        let place = configured(family, |_| {});
        let mut tensors = tensors(family);
        tensors.retain(|name, _| {
            !["classifier", "score", "pooler"].iter().any(|part| name.contains(part))
        });
        write(place.path(), &tensors);
        let backbone = Backbone::open(place.path()).unwrap();
        let zeros = || RelevanceModel::zeros(plain(&backbone), &Device::flex()).unwrap();
        let (Ok(one), Ok(other)) =
            (backbone.load_into(initialize(zeros(), 7)), backbone.load_or_initialize(zeros(), 7))
        else {
            panic!("{family}: it cannot be read without a head");
        };
        assert!(dump(&one) == dump(&other), "{family}");
    }
}

#[test]
fn a_tensor_that_is_missing_misshapen_or_not_finite_is_refused_by_name_in_every_family() {
    for family in all() {
        let place = configured(family, |_| {});
        let whole = tensors(family);
        write(place.path(), &whole);
        import(place.path()).unwrap();
        for name in whole.keys() {
            // All blocks have the same tensors, so that the first one is enough.
            if [".1.", ".2."].iter().any(|block| name.contains(block)) {
                continue;
            }
            let refused = |change: &dyn Fn(&mut Tensors), part: &str| {
                let mut tensors = whole.clone();
                change(&mut tensors);
                write(place.path(), &tensors);
                let error = import(place.path()).unwrap_err().to_string();
                let what = format!("{family}: {name}: {error}");
                assert!(error.contains(&format!("`{name}`")) && error.contains(part), "{what}");
            };
            // Whether there is a head is decided by its weight: a checkpoint without that tensor has no head.
            let heads = ["classifier.weight", "classifier.out_proj.weight", "score.weight"];
            let is_head = heads.contains(&name.as_str());
            let absent = if is_head { "" } else { "is missing" };
            refused(&|tensors| drop(tensors.remove(name)), absent);
            let reshape = |tensors: &mut Tensors| {
                let values = tensors.get_mut(name).unwrap();
                let width = values.data.len() / values.shape[0];
                values.shape[0] += 1;
                values.data.extend(vec![0.0; width]);
            };
            // A head of another shape is one of other labels, and not an error about shapes.
            if !is_head {
                refused(&reshape, "shape");
            }
            let last = whole[name].data.len() - 1;
            for (value, shown) in
                [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")]
            {
                let at: Vec<usize> = whole[name].shape.iter().map(|size| size - 1).collect();
                let told = format!("holds {shown} at {at:?}");
                refused(&|tensors| tensors.get_mut(name).unwrap().data[last] = value, &told);
            }
        }
    }
}

#[test]
fn a_tensor_too_many_is_refused_by_name_in_every_family() {
    for family in all() {
        let place = configured(family, |_| {});
        let whole = tensors(family);
        let prefix = ["bert.", "roberta.", "electra.", "distilbert.", "deberta.", "model."]
            .into_iter()
            .find(|prefix| whole.keys().any(|name| name.starts_with(prefix)))
            .unwrap();
        let head = whole.keys().find(|name| name.ends_with("classifier.weight"));
        let head = head.map_or("score".to_owned(), |name| name.replace(".weight", ""));
        let one = || Values { shape: vec![1], data: vec![0.0] };
        for name in [
            format!("{prefix}extra.weight"),
            format!("{head}.extra"),
            format!("{prefix}layers.7.weight"),
            "unheard.of".to_owned(),
        ] {
            let mut tensors = whole.clone();
            tensors.insert(name.clone(), one());
            write(place.path(), &tensors);
            let error = import(place.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{family}: {error}");
            assert!(error.contains("not part of this architecture"), "{family}: {error}");
        }
        // Constants of old checkpoints and heads for pretraining are ignored.
        let mut tensors = whole.clone();
        tensors.insert(format!("{prefix}embeddings.position_ids"), one());
        tensors.insert(format!("{prefix}layers.0.self_attn.rotary_emb.inv_freq"), one());
        let pretraining = match family {
            "bert" => "cls.predictions.bias",
            "deberta_v2" => "lm_predictions.lm_head.bias",
            "electra" => "discriminator_predictions.dense.bias",
            "distilbert" => "vocab_projector.bias",
            "modernbert" => "decoder.bias",
            _ => "lm_head.weight",
        };
        tensors.insert(pretraining.to_owned(), one());
        write(place.path(), &tensors);
        import(place.path()).unwrap();
    }
}

/// The dense layer before the head must be complete or absent, even if the head itself is not loaded.
#[test]
fn half_a_dense_layer_is_refused_and_none_is_fresh() {
    let place = configured("bert", |_| {});
    let mut tensors = tensors("bert");
    tensors.retain(|name, _| !name.starts_with("classifier."));
    write(place.path(), &tensors);
    load(place.path()).unwrap();
    tensors.remove("bert.pooler.dense.bias");
    write(place.path(), &tensors);
    let error = load(place.path()).unwrap_err().to_string();
    assert!(error.contains("`bert.pooler.dense.bias` [16] is missing"), "{error}");
    tensors.remove("bert.pooler.dense.weight");
    write(place.path(), &tensors);
    load(place.path()).unwrap();
    // A head whose bias is there but whose weight is missing is incomplete.
    tensors.insert("classifier.bias".into(), Values { shape: vec![3], data: vec![0.0; 3] });
    write(place.path(), &tensors);
    let error = load(place.path()).unwrap_err().to_string();
    assert!(error.contains("`classifier.weight` is missing"), "{error}");
}

#[test]
fn wrapped_names_give_the_same_logits() {
    for family in ["bert", "deberta_v2", "modernbert", "llama"] {
        for wrap in [
            |name: &str| format!("_orig_mod.{name}"),
            |name: &str| format!("module.{name}"),
            |name: &str| format!("module._orig_mod.{name}"),
            |name: &str| format!("_orig_mod.base_model.model.{name}"),
            |name: &str| format!("base_model.model.{}", name.replacen('.', "._orig_mod.", 1)),
        ] {
            let place = configured(family, |_| {});
            let renamed = tensors(family).into_iter().map(|(name, x)| (wrap(&name), x)).collect();
            write(place.path(), &renamed);
            import(place.path()).unwrap();
            check(place.path(), family);
        }
    }
    // Two tensors have the same name without wrappers.
    let place = configured("bert", |_| {});
    let mut twice = tensors("bert");
    twice.insert("module.classifier.bias".into(), twice["classifier.bias"].clone());
    write(place.path(), &twice);
    let error = import(place.path()).unwrap_err().to_string();
    for part in ["`classifier.bias` is there twice", "`module.classifier.bias`"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn labels_in_any_order_give_the_same_logits() {
    // Row i of the checkpoint's head is for grade `order[i]`.
    for order in [[2usize, 1, 0], [1, 2, 0], [0, 2, 1]] {
        for family in ["bert", "roberta", "distilbert", "qwen3"] {
            let names = ["irrelevant", "partial", "relevant"];
            let ids: serde_json::Map<_, _> =
                (0..3).map(|row| (row.to_string(), json!(names[order[row]]))).collect();
            let labels: serde_json::Map<_, _> =
                (0..3).map(|row| (names[order[row]].to_owned(), json!(row))).collect();
            let mut tensors = tensors(family);
            for (name, values) in &mut tensors {
                let head = ["classifier.weight", "classifier.bias", "score.weight"];
                let out = ["classifier.out_proj.weight", "classifier.out_proj.bias"];
                if head.contains(&name.as_str()) || out.contains(&name.as_str()) {
                    let width = values.data.len() / 3;
                    let row = |row: usize| values.data[row * width..][..width].to_vec();
                    values.data = order.map(row).concat();
                }
            }
            for keys in [&["id2label"][..], &["label2id"], &["id2label", "label2id"]] {
                let place = configured(family, |json| {
                    let json = json.as_object_mut().unwrap();
                    json.remove("id2label");
                    json.remove("label2id");
                    for &key in keys {
                        let map = if key == "id2label" { &ids } else { &labels };
                        json.insert(key.to_owned(), map.clone().into());
                    }
                });
                write(place.path(), &tensors);
                import(place.path()).unwrap();
                check(place.path(), family);
            }
        }
    }
}

#[test]
fn labels_that_are_no_grades_or_contradict_are_refused_with_the_list() {
    let refused = |change: &dyn Fn(&mut serde_json::Value), parts: &[&str]| {
        let place = configured("bert", change);
        write(place.path(), &tensors("bert"));
        let error = import(place.path()).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    let nli = json!({ "contradiction": 0, "entailment": 1, "neutral": 2 });
    refused(
        &|json| {
            json.as_object_mut().unwrap().remove("id2label");
            json["label2id"] = nli.clone();
        },
        &["contradiction, entailment, neutral", "not grades of relevance"],
    );
    refused(
        &|json| {
            json["id2label"] = json!({ "0": "relevant", "1": "partial", "2": "irrelevant" });
            json["label2id"] = json!({ "irrelevant": 0, "partial": 1, "relevant": 2 });
        },
        &["`id2label`", "`label2id`", "relevant, partial, irrelevant", "correct or remove"],
    );
    refused(&|json| json["id2label"] = json!({ "0": "relevant" }), &["label2id"]);
    refused(
        &|json| {
            json.as_object_mut().unwrap().remove("label2id");
            json["id2label"] = json!({ "0": "relevant" });
        },
        &["names 1 labels (relevant) where the head has 3"],
    );
}

/// Lengths that a file states are checked against the length of the file. If a file is truncated while it is
/// open, reading from it is an error.
#[test]
fn safetensors_that_lie_are_errors() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model.safetensors");
    let file = |header: &str, data: &[u8]| {
        let length = (header.len() as u64).to_le_bytes();
        std::fs::write(&path, [&length[..], header.as_bytes(), data].concat()).unwrap();
        Archive::read(&path, |_| false)
    };
    let tensor = |shape: &str, end: u64| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#)
    };
    let archive = file(&tensor("[2]", 8), &[0; 8]).unwrap();
    assert_eq!(*archive.get("a", &[2]).unwrap(), [0.0, 0.0]);
    std::fs::File::options().write(true).open(&path).unwrap().set_len(40).unwrap();
    let error = archive.get("a", &[2]).unwrap_err().to_string();
    assert!(error.contains("model.safetensors"), "{error}");
    for (header, data) in [
        (tensor("[3]", 8), 8),
        (tensor("[2]", 8), 7),
        (tensor("[2]", 8), 9),
        (tensor("[4611686018427387904, 4]", 8), 8),
        (tensor("[2]", u64::MAX), 8),
        ("{\"a\":1}".to_owned(), 8),
        ("\u{0}".to_owned(), 0),
    ] {
        let error = file(&header, &vec![0; data]).unwrap_err().to_string();
        assert!(error.contains("not a whole safetensors file"), "{header}: {error}");
    }
    std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    let error = Archive::read(&path, |_| false).unwrap_err().to_string();
    assert!(error.contains("longer than the file"), "{error}");
    assert!(Archive::read(place.path(), |_| false).is_err());
}

#[test]
fn adapters_are_read_under_other_names_and_refused_with_numbers_that_are_none() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/peft/all_linear");
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("adapter_model.safetensors");
    std::fs::copy(case.join("adapter_config.json"), place.path().join("adapter_config.json"))
        .unwrap();
    let source = Archive::read(&case.join("adapter_model.safetensors"), |_| false).unwrap();
    let whole: Tensors = source
        .names()
        .map(|name| {
            let shape = source.shape(name).unwrap().to_vec();
            let data = source.get(name, &shape).unwrap().to_vec();
            (name.to_owned(), Values { shape, data })
        })
        .collect();
    let backbone = Backbone::open(&folder("llama")).unwrap();
    let open = || {
        Adapter::open(place.path())?.model(
            &backbone,
            sextant_kernels::FrozenFormat::F32,
            &Device::flex(),
        )
    };
    let head = |model: &RelevanceModel| floats(model.branches[0].classifier.weight.val());
    Archive::write(&file, &whole).unwrap();
    let expected = sextant_model::dump(&open().unwrap());
    for rename in [
        |name: &str| {
            name.replace("lora_A.", "lora_A.default.").replace("lora_B.", "lora_B.default.")
        },
        |name: &str| format!("module.{}", name.replace("score.", "score.modules_to_save.default.")),
        |name: &str| format!("_orig_mod.base_model.model.{name}"),
    ] {
        let renamed = whole.iter().map(|(name, x)| (rename(name), x.clone())).collect();
        Archive::write(&file, &renamed).unwrap();
        let model = open().unwrap();
        assert_eq!(sextant_model::dump(&model), expected);
        assert!(head(&model).iter().any(|x| *x != 0.0));
    }
    for name in whole.keys() {
        let mut tensors = whole.clone();
        tensors.get_mut(name).unwrap().data[1] = f32::NAN;
        Archive::write(&file, &tensors).unwrap();
        let error = open().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("holds NaN at [0, 1]"), "{error}");
    }
}

#[test]
fn a_bundle_with_numbers_that_are_none_or_sizes_that_lie_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let backbone = BackboneConfig {
        hidden_size: 8,
        layers: 1,
        attention_heads: 2,
        intermediate_size: 8,
        ..BackboneConfig::small(50)
    };
    let spec = crate::support::spec(
        backbone,
        sextant_model::Routing::TEXT_PREFIX,
        sextant_model::Pooling::Cls,
    );
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 1);
    let path = place.path().join("model.safetensors");
    let mut values = sextant_model::dump(&model);
    let name = "trunk.0.up.weight";
    values.get_mut(name).unwrap().data[9] = f32::NEG_INFINITY;
    Archive::write(&path, &values).unwrap();
    let error = bundle::load_weights(model, &path).unwrap_err().to_string();
    assert!(error.contains(name) && error.contains("holds -inf at [1, 1]"), "{error}");
}
