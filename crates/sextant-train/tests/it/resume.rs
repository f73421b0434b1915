//! A run that was killed goes on as if it had not been.

use crate::common::{Silent, folder, prepared};
use sextant_train::{Event, JsonLog, Observer, Observers, RunFolder, Summary, TrainError, Trainer};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tempfile::TempDir;

/// Dropout, decay and uneven rates on; steps of one task each.
const SETTINGS: &[&str] = &[
    "schedule.steps=7",
    "model.hidden_dropout=0.1",
    "model.attention_dropout=0.1",
    "model.head_dropout=0.2",
    "optimizer.layer_decay=0.8",
    "batch.sampling=\"uniform\"",
    "batch.mixing=\"single_task\"",
];

fn settings(extra: &[&'static str]) -> Vec<&'static str> {
    SETTINGS.iter().chain(extra).copied().collect()
}

/// Kills the run after a step.
struct KillAfter(u64);

impl Observer for KillAfter {
    fn on_event(&mut self, event: Event<'_>) {
        if let Event::Step(report) = event {
            assert!(report.step < self.0, "killed");
        }
    }
}

fn start(folder: &RunFolder, resume: bool, extra: &[&'static str]) -> Result<Trainer, TrainError> {
    Trainer::new(prepared(&settings(extra)), folder.clone(), resume)
}

/// Runs with a log until the end of `step`, which no checkpoint holds.
fn run_killed_after(folder: &RunFolder, step: u64, extra: &[&'static str]) {
    let trainer = start(folder, false, extra).unwrap();
    let log = JsonLog::open(&folder.log(), trainer.steps_done()).unwrap();
    let mut observer = Observers(vec![Box::new(log), Box::new(KillAfter(step))]);
    assert!(catch_unwind(AssertUnwindSafe(|| trainer.run(&mut observer))).is_err());
}

fn bytes(folder: &Path, file: &str) -> Vec<u8> {
    std::fs::read(folder.join(file)).unwrap()
}

#[test]
fn a_killed_run_ends_in_the_same_bytes() {
    ends_in_the_same_bytes(&[], &["model.safetensors", "tokenizer.json"]);
}

#[test]
fn a_killed_run_with_lora_ends_in_the_same_bytes() {
    ends_in_the_same_bytes(
        &[
            "model.lora={ rank = 2, dropout = 0.1, base = \"int8\" }",
            "model.routing.private=\"adapter\"",
            "model.gradient_checkpointing=true",
        ],
        &["model.safetensors", "base.safetensors", "tokenizer.json"],
    );
}

#[test]
fn a_killed_run_that_weighs_its_tasks_ends_in_the_same_bytes() {
    for kind in ["equal", "uncertainty", "dynamic", "pcgrad"] {
        let kind = format!("task_weighting.kind=\"{kind}\"").leak();
        let mut extra = vec![
            &*kind,
            "batch.mixing=\"mixed\"",
            "model.routing={ prefix = false, heads = \"per_task\", mixture = { experts = 2, task_experts = 1 } }",
        ];
        if kind.contains("dynamic") {
            extra.push("task_weighting.window=1");
        }
        ends_in_the_same_bytes(&extra, &["model.safetensors", "tokenizer.json"]);
    }
}

fn ends_in_the_same_bytes(extra: &[&'static str], bundle: &[&str]) {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (whole, killed) = (folder(&one), folder(&two));
    let expected = start(&whole, false, extra).unwrap().run(&mut Silent).unwrap();

    run_killed_after(&killed, 5, extra);
    // As a kill in the middle of a write leaves it.
    let log = std::fs::read_to_string(killed.log()).unwrap();
    std::fs::write(killed.log(), format!("{log}{{\"event\":\"st")).unwrap();
    let trainer = start(&killed, true, extra).unwrap();
    assert_eq!(trainer.steps_done(), 4);
    let mut log = JsonLog::open(&killed.log(), trainer.steps_done()).unwrap();
    let summary = trainer.run(&mut log).unwrap();

    for file in ["model.safetensors", "optimizer.safetensors"] {
        let (a, b) = (bytes(&whole.checkpoint(), file), bytes(&killed.checkpoint(), file));
        assert!(a == b, "checkpoint/{file} differs");
    }
    for file in bundle {
        let (a, b) = (bytes(&whole.bundle(), file), bytes(&killed.bundle(), file));
        assert!(a == b, "bundle/{file} differs");
    }
    assert_eq!(
        (summary.steps, summary.rows, summary.tokens, summary.best, &summary.fingerprint),
        (expected.steps, expected.rows, expected.tokens, expected.best, &expected.fingerprint),
    );

    // Each step and each look is in the log once.
    let log = std::fs::read_to_string(killed.log()).unwrap();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = |event: &str| -> Vec<u64> {
        let of_event = lines.iter().filter(|line| line["event"] == event);
        of_event.map(|line| line["step"].as_u64().unwrap()).collect()
    };
    assert_eq!(steps("step"), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(steps("dev"), [2, 4, 6, 7]);
    assert_eq!(steps("started"), [0, 4]);
    assert_eq!(lines.last().unwrap()["event"], "finished");
}

#[test]
fn another_recipe_or_a_used_folder_is_refused() {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    run_killed_after(&folder, 3, &[]);
    let before = bytes(&folder.checkpoint(), "model.safetensors");

    let error = start(&folder, true, &["optimizer.learning_rate=2e-3"]).err().unwrap().to_string();
    assert!(error.contains("another recipe"), "{error}");
    let error = start(&folder, false, &[]).err().unwrap().to_string();
    assert!(error.contains("--resume"), "{error}");
    assert!(before == bytes(&folder.checkpoint(), "model.safetensors"));

    std::fs::write(folder.checkpoint().join("state.json"), "{").unwrap();
    let error = start(&folder, true, &[]).err().unwrap().to_string();
    assert!(error.contains("state.json"), "{error}");
}

#[test]
fn a_finished_run_resumes_to_nothing_more() {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    let first = start(&folder, false, &[]).unwrap().run(&mut Silent).unwrap();
    let before = bytes(&folder.checkpoint(), "model.safetensors");
    let again = start(&folder, true, &[]).unwrap().run(&mut KillAfter(0)).unwrap();
    assert_eq!(first, Summary { peak_memory_bytes: first.peak_memory_bytes, ..again });
    assert!(before == bytes(&folder.checkpoint(), "model.safetensors"));
}

#[test]
fn the_fingerprint_tells_seeds_and_rows_apart() {
    let prints: BTreeSet<String> =
        [&[][..], &["seed=2"], &["data.train_rows=100"], &["text.max_tokens=22"]]
            .iter()
            .map(|extra| prepared(&settings(extra)).fingerprint())
            .collect();
    assert_eq!(prints.len(), 4);
    assert!(prints.contains(&prepared(&settings(&[])).fingerprint()));
}
