//! A run that was killed and resumed gives the same results as one that was not.

mod losses;
mod precision;

use crate::common::{Silent, folder, prepared};
use sextant_files::Existing;
use sextant_train::{
    Event, JsonLog, Observer, Observers, RunFolder, Start, Summary, TrainError, Trainer,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tempfile::TempDir;

/// Settings with dropout, decay and different rates, and with steps of one task each.
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

/// How a run is ended before its time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// Killed after a step, before anything more is saved.
    Killed(u64),
    /// Killed when the look at the dev set after a step is in the log, and in no checkpoint.
    KilledAtLook(u64),
    /// Asked to stop when a step is done.
    Step(u64),
    /// Asked to stop while the dev rows are answered after a step.
    DevRows(u64),
    /// Asked to stop after the look at the dev set that follows a step.
    Dev(u64),
    /// Asked to stop before the first step.
    Started,
}

/// An observer that ends the run.
struct Ender {
    end: End,
    step: u64,
}

impl Observer for Ender {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        let here = match event {
            Event::Started { .. } => End::Started,
            Event::Step(report) => {
                self.step = report.step;
                assert_ne!(self.end, End::Killed(report.step), "killed");
                End::Step(report.step)
            }
            Event::DevRows { .. } => End::DevRows(self.step),
            Event::Dev(dev) => {
                assert_ne!(self.end, End::KilledAtLook(dev.step), "killed");
                End::Dev(dev.step)
            }
            Event::Interrupted { .. } | Event::Finished { .. } => return ControlFlow::Continue(()),
        };
        if here == self.end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn start(folder: &RunFolder, how: Start, extra: &[&'static str]) -> Result<Trainer, TrainError> {
    Trainer::new(prepared(&settings(extra)), folder.clone(), how, Existing::Refuse)
}

/// Runs with a log to the end, or until the run is ended. `None` if it was killed, otherwise what the run
/// returned.
fn run(trainer: Trainer, end: Option<End>) -> Option<Result<Summary, TrainError>> {
    let mut observers = Observers(vec![Box::new(JsonLog::open(&trainer).unwrap())]);
    if let Some(end) = end {
        observers.0.push(Box::new(Ender { end, step: 0 }));
    }
    catch_unwind(AssertUnwindSafe(|| trainer.run(&mut observers))).ok()
}

/// Runs until the end of `step`, which no checkpoint holds.
fn run_killed_after(folder: &RunFolder, step: u64, extra: &[&'static str]) {
    assert!(run(start(folder, Start::New, extra).unwrap(), Some(End::Killed(step))).is_none());
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

/// The model is wide enough for moments of a table and of layers to be stored in fewer bits, which the
/// checkpoint holds as they are.
#[test]
fn a_killed_run_with_stored_moments_ends_in_the_same_bytes() {
    for (format, bytes) in [("bf16", 2.0), ("int8", 1.0 + 4.0 / 64.0)] {
        let moments = format!("optimizer.moments=\"{format}\"").leak();
        let extra = [
            &*moments,
            "model.backbone={ vocab_size = 300, hidden_size = 64, layers = 2, attention_heads = 2, intermediate_size = 64 }",
        ];
        ends_in_the_same_bytes(&extra, &["model.safetensors"]);
        let temporary = TempDir::new().unwrap();
        let folder = folder(&temporary);
        run(start(&folder, Start::New, &extra).unwrap(), None).unwrap().unwrap();
        let size = |file| std::fs::metadata(folder.checkpoint().join(file)).unwrap().len() as f64;
        let share = size("optimizer.safetensors") / size("model.safetensors");
        // Two moments of four bytes would be twice the weights; small parameters keep these, and names take
        // room.
        assert!(share < 2.0 * bytes / 4.0 + 0.25, "{format}: {share}");
    }
}

#[test]
fn a_damaged_checkpoint_of_moments_is_refused() {
    let extra = ["optimizer.moments=\"int8\""];
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    run_killed_after(&folder, 3, &extra);
    // The moments of a run whose moments have 32 bits, under the state of this one.
    let other = TempDir::new().unwrap();
    let other = crate::common::folder(&other);
    run_killed_after(&other, 3, &[]);
    let file = "optimizer.safetensors";
    std::fs::copy(other.checkpoint().join(file), folder.checkpoint().join(file)).unwrap();
    let error = start(&folder, Start::Resume, &extra).err().unwrap().to_string();
    assert!(error.contains("first.embeddings.word` holds numbers; expected bytes"), "{error}");
}

/// A run that is out of patience ends there too, with the same choice of weights.
#[test]
fn an_impatient_run_that_was_stopped_ends_in_the_same_bytes() {
    let extra = ["dev.patience=1", "schedule.steps=12", "optimizer.learning_rate=1e-7"];
    let steps = ends_in_the_same_bytes(&extra, &["model.safetensors"]).steps;
    assert!(steps < 12, "{steps}: it was never out of patience");
}

/// The steps of a log's lines about an event, in their order.
fn logged(folder: &RunFolder, event: &str) -> Vec<u64> {
    let log = std::fs::read_to_string(folder.log()).unwrap();
    log.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["event"] == event)
        .map(|line| line["step"].as_u64().unwrap())
        .collect()
}

/// Every way to end a run before its time, and the step that it goes on after. Looks at the dev set come
/// after every second step.
const ENDS: [(End, &str, u64); 9] = [
    (End::Killed(3), "checkpoint.minutes=0", 2),
    // As a checkpoint is saved after every step, the newest one is not that of a look.
    (End::Killed(4), "checkpoint.minutes=1e-9", 3),
    (End::Started, "checkpoint.minutes=0", 0),
    (End::Step(1), "checkpoint.minutes=0", 1),
    (End::Step(3), "checkpoint.minutes=1e-9", 3),
    // Before, within and after the look at the dev set.
    (End::Step(4), "checkpoint.minutes=0", 4),
    (End::DevRows(4), "checkpoint.minutes=0", 4),
    (End::KilledAtLook(4), "checkpoint.minutes=1e-9", 3),
    (End::Dev(2), "checkpoint.minutes=1e-9", 2),
];

/// The results of a run are the same, however it is ended before its time and resumed.
fn ends_in_the_same_bytes(extra: &[&'static str], bundle: &[&str]) -> Summary {
    let temporary = TempDir::new().unwrap();
    let whole = folder(&temporary);
    let expected = run(start(&whole, Start::New, extra).unwrap(), None).unwrap().unwrap();
    for (end, minutes, done) in ENDS {
        let temporary = TempDir::new().unwrap();
        let ended = folder(&temporary);
        let trainer = start(&ended, Start::New, &[extra, &[minutes]].concat()).unwrap();
        match run(trainer, Some(end)) {
            None => assert!(matches!(end, End::Killed(_) | End::KilledAtLook(_))),
            Some(Err(TrainError::Interrupted { step, .. })) => assert_eq!(step, done, "{end:?}"),
            Some(other) => panic!("{end:?}: {other:?}"),
        }
        // A kill in the middle of a write leaves half a line.
        let log = std::fs::read_to_string(ended.log()).unwrap();
        std::fs::write(ended.log(), format!("{log}{{\"event\":\"st")).unwrap();
        // When to save checkpoints is not part of a run's identity: the run resumes with another value.
        let trainer = start(&ended, Start::Resume, extra).unwrap();
        assert_eq!(trainer.steps_done(), done, "{end:?}");
        let summary = run(trainer, None).unwrap().unwrap();

        let of_checkpoint = ["model.safetensors", "optimizer.safetensors"];
        let of_checkpoint =
            of_checkpoint.map(|file| (whole.checkpoint(), ended.checkpoint(), file));
        let of_bundle = bundle.iter().map(|&file| (whole.bundle(), ended.bundle(), file));
        for (whole, ended, file) in of_checkpoint.into_iter().chain(of_bundle) {
            let (a, b) = (bytes(&whole, file), bytes(&ended, file));
            assert!(a == b, "{end:?}: {file} of {} differs", ended.display());
        }
        let facts = |of: &Summary| {
            (of.steps, of.rows, of.tokens, of.best, of.train_rows, of.fingerprint.clone())
        };
        assert_eq!(facts(&summary), facts(&expected), "{end:?}");

        // Each step and each look is in the log once.
        for event in ["step", "dev"] {
            assert_eq!(logged(&ended, event), logged(&whole, event), "{end:?}");
        }
        assert_eq!(logged(&ended, "step"), (1..=expected.steps).collect::<Vec<_>>());
        assert_eq!(logged(&ended, "started"), [0, done], "{end:?}");
        let log = std::fs::read_to_string(ended.log()).unwrap();
        assert!(log.lines().last().unwrap().contains("finished"), "{end:?}");
    }
    expected
}

/// A run that is stopped again and again gets to the same end.
#[test]
fn a_run_that_is_stopped_at_every_step_ends_in_the_same_bytes() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (whole, stopped) = (folder(&one), folder(&two));
    run(start(&whole, Start::New, &[]).unwrap(), None).unwrap().unwrap();
    for step in 1..=7 {
        let trainer = start(&stopped, Start::Resume, &[]).unwrap();
        let ended = run(trainer, Some(End::Step(step))).unwrap();
        assert!(matches!(ended, Err(TrainError::Interrupted { .. })), "{ended:?}");
    }
    // All steps are done; the look at the dev set that follows the last one is not.
    run(start(&stopped, Start::Resume, &[]).unwrap(), None).unwrap().unwrap();
    for file in ["model.safetensors", "optimizer.safetensors"] {
        assert!(bytes(&whole.checkpoint(), file) == bytes(&stopped.checkpoint(), file), "{file}");
    }
    assert!(
        bytes(&whole.bundle(), "model.safetensors")
            == bytes(&stopped.bundle(), "model.safetensors")
    );
    assert_eq!(logged(&stopped, "dev"), [2, 4, 6, 7]);
}

/// The checkpoint is that of the step; the log is ahead of it by the look at the dev set.
#[test]
fn a_look_that_is_done_again_is_in_the_log_once() {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    assert!(run(start(&folder, Start::Resume, &[]).unwrap(), Some(End::Step(4))).unwrap().is_err());
    assert!(run(start(&folder, Start::Resume, &[]).unwrap(), Some(End::KilledAtLook(4))).is_none());
    assert_eq!(logged(&folder, "dev"), [2, 4]);
    run(start(&folder, Start::Resume, &[]).unwrap(), None).unwrap().unwrap();
    assert_eq!(logged(&folder, "dev"), [2, 4, 6, 7]);
}

/// A request that comes with the last event of a run does not undo it.
#[test]
fn a_run_that_is_over_is_not_interrupted() {
    let temporary = TempDir::new().unwrap();
    let ended =
        run(start(&folder(&temporary), Start::New, &[]).unwrap(), Some(End::Dev(7))).unwrap();
    assert_eq!(ended.unwrap().steps, 7);
}

/// Every observer receives every event, including the one at which another observer breaks.
#[test]
fn one_of_several_observers_ends_the_run() {
    let temporary = TempDir::new().unwrap();
    let trainer = start(&folder(&temporary), Start::New, &[]).unwrap();
    let log = JsonLog::open(&trainer).unwrap();
    let ender = Ender { end: End::Step(3), step: 0 };
    let mut observers = Observers(vec![Box::new(ender), Box::new(log), Box::new(Silent)]);
    let error = trainer.run(&mut observers).unwrap_err();
    assert!(matches!(error, TrainError::Interrupted { step: 3, steps: 7 }), "{error}");
    assert_eq!(logged(&folder(&temporary), "step"), [1, 2, 3]);
    assert_eq!(logged(&folder(&temporary), "interrupted"), [3]);
}

/// Only the bundle holds the best weights.
#[test]
fn a_run_whose_best_weights_are_gone_is_refused() {
    for end in [None, Some(End::Killed(5))] {
        let temporary = TempDir::new().unwrap();
        let folder = folder(&temporary);
        run(start(&folder, Start::New, &[]).unwrap(), end);
        std::fs::remove_dir_all(folder.bundle()).unwrap();
        let error = start(&folder, Start::Resume, &[]).err().unwrap().to_string();
        for part in ["bundle", "is gone", "put the folder back", "--out"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn another_recipe_or_a_used_folder_is_refused() {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    run_killed_after(&folder, 3, &[]);
    let before = bytes(&folder.checkpoint(), "model.safetensors");

    let error =
        start(&folder, Start::Resume, &["optimizer.learning_rate=2e-3"]).err().unwrap().to_string();
    assert!(error.contains("another recipe"), "{error}");
    let error = start(&folder, Start::New, &[]).err().unwrap().to_string();
    assert!(error.contains("--resume"), "{error}");
    assert!(before == bytes(&folder.checkpoint(), "model.safetensors"));

    std::fs::write(folder.checkpoint().join("state.json"), "{").unwrap();
    let error = start(&folder, Start::Resume, &[]).err().unwrap().to_string();
    assert!(error.contains("state.json"), "{error}");
}

#[test]
fn a_finished_run_resumes_to_nothing_more() {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    let first = start(&folder, Start::New, &[]).unwrap().run(&mut Silent).unwrap();
    let before = bytes(&folder.checkpoint(), "model.safetensors");
    let again = start(&folder, Start::Resume, &[]).unwrap().run(&mut Silent).unwrap();
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

/// When to save checkpoints is not part of a run's identity, whether it is stated or not.
#[test]
fn saving_more_often_is_the_same_run() {
    let print = |extra: &[&'static str]| prepared(&settings(extra)).fingerprint();
    assert_eq!(print(&[]), print(&["checkpoint.minutes=3"]));
    let recipe = crate::common::recipe(&["checkpoint.minutes=3"]);
    assert_eq!(recipe.checkpoint.minutes, 3.0);
    // The hash covers only the keys that there were before this one.
    let json = serde_json::to_value(&recipe).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "name",
        "seed",
        "tasks",
        "precision",
        "data",
        "model",
        "text",
        "loss",
        "optimizer",
        "schedule",
        "batch",
        "dev",
    ];
    expected.sort_unstable();
    assert_eq!(BTreeSet::from_iter(keys), BTreeSet::from(expected));
    for bad in ["checkpoint.minutes=-1", "checkpoint.minutes=nan", "checkpoint.minutes=inf"] {
        let error = crate::common::plan(&[bad]).unwrap_err().to_string();
        assert!(error.contains("checkpoint.minutes"), "{error}");
    }
}
