//! Training adapters over a frozen base.

use crate::common::{Silent, folder, market, prepared, recipe, train};
use sextant_files::Existing;
use sextant_model::{Archive, Device, ModelSpec, ParameterCounts};
use sextant_train::{Plan, Prepared, Start, Trainer};
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

const LORA: &str = "model.lora={ rank = 2, target_modules = [\"query\", \"intermediate.dense\"], modules_to_save = [\"trunk.0.output_norm\"] }";
const ADAPTER: &str = "model.routing.private=\"adapter\"";

/// The parameters that are trained, listed independently of [`ModelSpec::trains`].
fn is_trained(name: &str, private_blocks: bool) -> bool {
    let head = name.contains(".dense.") || name.contains(".classifier.");
    let private = name.starts_with("branches.") && name.contains(".layers.");
    name.contains(".lora.")
        || name.starts_with("trunk.0.output_norm.")
        || head && name.starts_with("branches.")
        || private && private_blocks
}

#[test]
fn adapters_heads_and_private_blocks_move_and_nothing_else() {
    for (extra, private_blocks) in [(&[LORA][..], true), (&[LORA, ADAPTER], false)] {
        let settings =
            ["schedule.steps=3", "dev.every=3", "batch.rows=24", "batch.sampling=\"uniform\""];
        let (before, after, summary) = train(&[&settings, extra].concat());
        let mut trained = 0;
        for (name, values) in &before {
            let moves = is_trained(name, private_blocks);
            assert_eq!(*values != after[name], moves, "{name}");
            trained += if moves { values.data.len() as u64 } else { 0 };
        }
        assert_eq!(summary.trainable_parameters, trained);
        // The recipe: hidden 32, inner 64, vocabulary as trained, two blocks of which one is private.
        let adapters: u64 = 2 * (32 + 32) + 2 * (32 + 64);
        let head = 32 * 32 + 32 + 32 * 3 + 3;
        let block = (32 * 96 + 96) + (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 4 * 32;
        let private = if private_blocks { block } else { adapters };
        assert_eq!(trained, adapters + 2 * 32 + 6 * (head + private));
        assert!(summary.parameters > trained + 32 * 100, "the table of words is counted");
    }
}

/// A checkpoint holds neither the base nor moments of frozen parameters.
#[test]
fn checkpoints_hold_what_is_trained() {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    let prepared = prepared(&[LORA, ADAPTER, "schedule.steps=2", "batch.sampling=\"uniform\""]);
    let spec: ModelSpec = prepared.model.spec().clone();
    let counts = ParameterCounts::of(&prepared.model);
    Trainer::new(prepared, folder.clone(), Start::New, Existing::Refuse)
        .unwrap()
        .run(&mut Silent)
        .unwrap();
    let names = |file: &str| -> BTreeSet<String> {
        let archive = Archive::read(&folder.checkpoint().join(file), |_| false).unwrap();
        archive.names().map(str::to_owned).collect()
    };
    for name in names("optimizer.safetensors") {
        let (_, name) = name.split_once('.').unwrap();
        assert!(spec.trains(name), "{name}");
    }
    let weights = names("model.safetensors");
    assert!(!weights.contains("embeddings.word") && !weights.contains("trunk.0.qkv.weight"));
    let length = std::fs::metadata(folder.checkpoint().join("model.safetensors")).unwrap().len();
    let frozen = counts.all - counts.trainable;
    assert!(length < 4 * (counts.trainable + frozen / 2), "{length} bytes for {counts:?}");
}

/// A run resumes only over the base that its checkpoint was trained over.
#[test]
fn another_base_is_another_run() {
    const ADAPTED: &str = "model.lora={ rank = 2 }";
    let place = TempDir::new().unwrap();
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sextant-model/tests/goldens");
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(goldens.join("families/llama").join(file), place.path().join(file)).unwrap();
    }
    let words = ["<unk>", "</s>"].into_iter().map(str::to_owned);
    let words = words.chain((2..40).map(|id| format!("w{id}"))).enumerate();
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        words.map(|(id, word)| (word, id.into())).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>" },
    });
    std::fs::write(place.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let fingerprint = |settings: &[&str]| {
        let settings = [&["model.backbone=\"tiny-llama\""], settings].concat();
        let resolve = |_: &str| Ok(place.path().to_owned());
        let plan = Plan::new(recipe(&settings), resolve).unwrap();
        Prepared::new(plan, market(), &Device::cpu()).unwrap().fingerprint()
    };
    let (adapted, whole) = (fingerprint(&[ADAPTED]), fingerprint(&[]));
    assert_eq!(adapted, fingerprint(&[ADAPTED]));
    // changes one number of the last tensor
    let path = place.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_ne!(adapted, fingerprint(&[ADAPTED]));
    // without adapters the checkpoint holds every weight itself
    assert_eq!(whole, fingerprint(&[]));
}
