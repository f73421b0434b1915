//! Reading and writing adapters in PEFT's format. `scripts/goldens/peft_lora.py` wrote the adapters of PEFT;
//! `scripts/check_peft.py` checks that PEFT opens the adapters that Sextant writes.

use crate::families::{DECODERS, Golden, folder, loaded, plain};
use crate::lora::{ADAPTER, PLAIN, adapted, lora, saved, stirred};
use crate::support::{assert_close, floats, forward, pack};
use burn::tensor::Device;
use serde_json::{Value, json};
use sextant_core::Task;
use sextant_files::Existing;
use sextant_kernels::FrozenFormat;
use sextant_model::backbone::Backbone;
use sextant_model::export::{huggingface, peft};
use sextant_model::{
    Adapter, Archive, LoraConfig, ModelError, RelevanceModel, Routing, Values, bundle, dump, load,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/peft").join(name)
}

fn opened(adapter: &Path, family: &str) -> Result<RelevanceModel, ModelError> {
    let backbone = Backbone::open(&folder(family)).unwrap();
    Adapter::open(adapter)?.model(&backbone, FrozenFormat::F32, &Device::flex())
}

fn logits(model: &RelevanceModel, family: &str, task: Task) -> Vec<f32> {
    floats(forward(model, &pack(&Golden::read(family).rows(|_| task))))
}

#[test]
fn adapters_of_peft_give_its_logits() {
    for (name, target_modules, saves) in [
        ("all_linear", [].as_slice(), [].as_slice()),
        ("some", &["q_proj", "v_proj"], &[]),
        ("saved", &["k_proj", "q_proj", "up_proj"], &["trunk.1.down.weight", "trunk_norm.gamma"]),
        ("encoder", &["attention.output.dense", "output.dense", "query", "value"], &[]),
    ] {
        let text = std::fs::read_to_string(case(name).join("golden.json")).unwrap();
        let golden: Value = serde_json::from_str(&text).unwrap();
        let family = golden["family"].as_str().unwrap();
        let expected: Vec<Vec<f32>> = serde_json::from_value(golden["logits"].clone()).unwrap();
        assert_eq!(Adapter::open(&case(name)).unwrap().base(), Some(family));
        let model = opened(&case(name), family).unwrap();
        assert_close(&logits(&model, family, Task::TypeType), &expected.concat(), 1e-4, name);
        let found = model.spec().lora.as_ref().unwrap();
        let mut targets = found.target_modules.clone();
        targets.sort();
        if name != "encoder" {
            assert_eq!(targets, target_modules, "{name}");
        }
        assert_eq!(found.modules_to_save, saves, "{name}");
        let plain = loaded(
            &folder(family),
            plain(&Backbone::open(&folder(family)).unwrap()),
            &Device::flex(),
        );
        let untouched = logits(&plain, family, Task::QueryProduct);
        assert_ne!(untouched, expected.concat(), "{name}");
    }
}

/// A model whose adapters, heads and private blocks differ from those of the base.
fn moved(family: &str, routing: Routing, lora: LoraConfig) -> RelevanceModel {
    let model = stirred(adapted(family, routing, Some(lora)));
    let values = dump(&model);
    let spec = model.spec().clone();
    load::<()>(model, |name, _| {
        let stir = |i: usize| ((i * 41 + name.len() * 13) % 17) as f32 / 170.0 - 0.04;
        let own = spec.trains(name) && !name.contains(".lora.");
        let moved = values[name].data.iter().enumerate().map(|(i, x)| x + stir(i));
        Ok(own.then(|| moved.collect()))
    })
    .unwrap()
}

#[test]
fn every_task_comes_back_from_its_adapter_and_from_its_merged_export() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let some = LoraConfig {
        target_modules: vec!["down_proj".into(), "q_proj".into()],
        modules_to_save: vec!["embeddings.word".into(), "trunk.0.up".into()],
        dropout: 0.25,
        rslora: true,
        ..lora(FrozenFormat::F32)
    };
    let all = || DECODERS.into_iter().chain(["bert", "roberta", "deberta_v2", "modernbert"]);
    let mut cases: Vec<_> =
        all().map(|family| (family, ADAPTER, lora(FrozenFormat::F32))).collect();
    cases.extend(all().map(|family| (family, Routing::mhp(1), lora(FrozenFormat::F32))));
    cases.extend([("llama", PLAIN, lora(FrozenFormat::Bf16)), ("gemma3", ADAPTER, some)]);
    for (family, routing, lora) in cases {
        let model = moved(family, routing, lora.clone());
        saved(&at("bundle"), &model);
        let bundle = bundle::open(&at("bundle"), &Device::flex()).unwrap();
        for task in [Task::QueryProduct, Task::QueryType] {
            let what = format!("{family} {} {task}", routing.label());
            let expected = logits(&bundle.model, family, task);
            huggingface(&bundle, task, &at("merged"), Existing::Own).unwrap();
            let merged = Backbone::open(&at("merged")).unwrap();
            let merged = loaded(&at("merged"), plain(&merged), &Device::flex());
            let found = logits(&merged, family, Task::QueryProduct);
            assert_close(&found, &expected, 1e-4, &format!("{what}, merged"));

            peft(&bundle, task, "the/base", &at("adapter"), Existing::Own).unwrap();
            assert!(
                at("adapter/sextant_pair.py").exists() && at("adapter/sextant_pair.json").exists()
            );
            let adapter = Adapter::open(&at("adapter")).unwrap();
            assert_eq!((adapter.base(), adapter.task()), (Some("the/base"), Some(task)));
            assert_eq!(adapter.text(), Some(bundle.encoder.config()));
            let backbone = Backbone::open(&folder(family)).unwrap();
            let found = adapter.model(&backbone, lora.base, &Device::flex()).unwrap();
            let shape = |lora: &LoraConfig| (lora.rank, lora.dropout.to_bits(), lora.rslora);
            assert_eq!(shape(found.spec().lora.as_ref().unwrap()), shape(&lora), "{what}");
            assert_close(&logits(&found, family, task), &expected, 1e-5, &what);
        }
    }
}

/// Writes one of PEFT's adapters to `place` with its configuration and tensors changed.
fn changed(
    place: &Path,
    name: &str,
    config: impl FnOnce(&mut Value),
    tensors: impl FnOnce(&mut BTreeMap<String, Values>),
) {
    let read = |file: &str| std::fs::read(case(name).join(file)).unwrap();
    let mut json: Value = serde_json::from_slice(&read("adapter_config.json")).unwrap();
    config(&mut json);
    std::fs::create_dir_all(place).unwrap();
    std::fs::write(place.join("adapter_config.json"), json.to_string()).unwrap();
    let archive = Archive::read(&case(name).join("adapter_model.safetensors"), |_| false).unwrap();
    let value = |name: &str| {
        let shape = archive.shape(name).unwrap().to_vec();
        Values { data: archive.get(name, &shape).unwrap().to_vec(), shape }
    };
    let mut all: BTreeMap<_, _> =
        archive.names().map(|name| (name.to_owned(), value(name))).collect();
    tensors(&mut all);
    Archive::write(&place.join("adapter_model.safetensors"), &all).unwrap();
}

#[test]
fn wrong_adapters_are_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let refused = |family: &str, part: &str| {
        let error = opened(place, family).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    };
    let tensors = |change: &dyn Fn(&mut BTreeMap<String, Values>), part: &str| {
        changed(place, "all_linear", |_| {}, change);
        refused("llama", part);
    };
    let own = |name: &str| format!("base_model.model.{name}");
    let q = "base_model.model.model.layers.1.self_attn.q_proj";
    let head = "base_model.model.score.weight";
    tensors(&|all| drop(all.remove(head)), "`base_model.model.score.weight` is missing");
    tensors(&|all| drop(all.remove(&format!("{q}.lora_B.weight"))), "q_proj.lora_B.weight");
    tensors(
        &|all| all.retain(|name, _| !name.starts_with(q)),
        "`base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight` is missing",
    );
    let one = || Values { shape: vec![16], data: vec![0.0; 16] };
    tensors(
        &|all| drop(all.insert(own("model.nrom.weight"), one())),
        "`base_model.model.model.nrom.weight` is unexpected",
    );
    tensors(&|all| drop(all.insert("score.weight".into(), one())), "`score.weight` is unexpected");
    tensors(
        &|all| drop(all.insert(format!("{q}.lora_magnitude_vector"), one())),
        "lora_magnitude_vector` is unexpected",
    );
    let matrix = Values { shape: vec![16, 16], data: vec![0.0; 256] };
    let q_whole = |all: &mut BTreeMap<String, Values>| {
        all.retain(|name, _| !name.starts_with(q));
        all.insert(format!("{q}.weight"), matrix.clone());
    };
    tensors(&q_whole, "k_proj.weight` is missing");

    let config = |change: &dyn Fn(&mut Value), part: &str| {
        changed(place, "all_linear", change, |_| {});
        refused("llama", part);
    };
    config(&|json| json["use_dora"] = true.into(), "`use_dora` is true");
    config(&|json| json["rank_pattern"] = json!({"q_proj": 8}), "`rank_pattern`");
    config(&|json| json["bias"] = "all".into(), "`bias` is \"all\"");
    config(&|json| json["init_lora_weights"] = "pissa".into(), "`init_lora_weights` is \"pissa\"");
    config(&|json| json["peft_type"] = "IA3".into(), "`peft_type` is `IA3`");
    config(&|json| json["r"] = 5.into(), "rank 5");
    config(
        &|json| json["modules_to_save"] = json!(["score", "model.norm"]),
        "model.norm.weight` is missing",
    );
    config(&|json| json["target_modules"] = json!(["q_proj"]), "is unexpected");

    // Bases of another shape, another depth, another type.
    changed(place, "all_linear", |_| {}, |_| {});
    refused("gemma", "is the adapter for another base?");
    refused("bert", "is unexpected");
    changed(place, "saved", |_| {}, |_| {});
    refused("llama", "another base?");

    let whole = adapted("llama", PLAIN, None);
    saved(&place.join("bundle"), &whole);
    let bundle = bundle::open(&place.join("bundle"), &Device::flex()).unwrap();
    let error =
        peft(&bundle, Task::QueryType, "base", &place.join("out"), Existing::Refuse).unwrap_err();
    assert!(error.to_string().contains("not by LoRA"), "{error}");
    let model = adapted("llama", PLAIN, Some(lora(FrozenFormat::F32)));
    saved(&place.join("bundle"), &model);
    let bundle = bundle::open(&place.join("bundle"), &Device::flex()).unwrap();
    let out = place.join("out");
    peft(&bundle, Task::QueryType, "base", &out, Existing::Refuse).unwrap();
    // An adapter that Sextant wrote refuses another base even if the tensors would fit.
    let mut origin: Value =
        serde_json::from_slice(&std::fs::read(out.join("sextant.json")).unwrap()).unwrap();
    origin["backbone"]["norm_eps"] = 0.5.into();
    std::fs::write(out.join("sextant.json"), origin.to_string()).unwrap();
    let error = opened(&out, "llama").unwrap_err().to_string();
    assert!(error.contains("another shape"), "{error}");
}
