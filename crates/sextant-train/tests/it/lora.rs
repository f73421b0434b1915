//! Training adapters over a frozen base.

use crate::common::{Silent, folder, prepared, train};
use sextant_model::{Archive, ModelSpec, ParameterCounts, RelevanceModel, initialize};
use sextant_train::Trainer;
use std::collections::BTreeSet;
use tempfile::TempDir;

const LORA: &str = "model.lora={ rank = 2, target_modules = [\"query\", \"intermediate.dense\"], modules_to_save = [\"trunk.0.output_norm\"] }";
const ADAPTER: &str = "model.routing.private=\"adapter\"";

/// What moves, spelled out: independent of [`ModelSpec::trains`].
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

/// Neither the base nor moments of what is frozen.
#[test]
fn checkpoints_hold_what_is_trained() {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    let prepared = prepared(&[LORA, ADAPTER, "schedule.steps=2", "batch.sampling=\"uniform\""]);
    let spec: ModelSpec = prepared.model.spec().clone();
    let counts = ParameterCounts::of(&prepared.model);
    Trainer::new(prepared, folder.clone(), false).unwrap().run(&mut Silent).unwrap();
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

/// A checkpoint goes on over the base that it was trained over, or not at all.
#[test]
fn another_base_is_another_run() {
    let one = prepared(&[LORA]);
    let mut other = prepared(&[LORA]);
    assert_eq!(one.fingerprint(), other.fingerprint());
    let model = RelevanceModel::zeros(one.model.spec().clone(), &one.model.device()).unwrap();
    other.model = initialize(model, 99);
    assert_ne!(one.fingerprint(), other.fingerprint());
}
