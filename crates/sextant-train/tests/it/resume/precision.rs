//! The precision that was chosen where a run began, and checkpoints that do not say it.

use super::{End, bytes, folder, logged, prepared, run, run_killed_after, settings, start};
use sextant_files::Existing;
use sextant_kernels::Precision;
use sextant_train::{RunFolder, Start, TrainError, Trainer};
use tempfile::TempDir;

/// Checkpoints of earlier versions do not say whether a look is due, because they were saved only after
/// looks.
#[test]
fn a_checkpoint_of_an_earlier_version_goes_on() {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    // They do not say the precision of a run either, which its recipe stated.
    let extra = ["precision=\"bf16\""];
    run_killed_after(&folder, 5, &extra);
    let path = folder.checkpoint().join("state.json");
    let mut state: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(state.as_object_mut().unwrap().remove("look_due"), Some(false.into()));
    assert_eq!(state.as_object_mut().unwrap().remove("precision"), Some("bf16".into()));
    std::fs::write(&path, state.to_string()).unwrap();
    let summary = run(start(&folder, Start::Resume, &extra).unwrap(), None).unwrap().unwrap();
    assert_eq!(summary.steps, 7);
    assert_eq!(logged(&folder, "dev"), [2, 4, 6, 7]);
}

/// A run as it begins or goes on where `auto` would choose this precision.
fn start_choosing(
    folder: &RunFolder,
    how: Start,
    precision: Precision,
) -> Result<Trainer, TrainError> {
    let mut prepared = prepared(&settings(&["precision=\"auto\""]));
    prepared.plan.computation.precision = precision;
    Trainer::new(prepared, folder.clone(), how, Existing::Refuse)
}

/// What was chosen where a run began is kept where it goes on, and written down.
#[test]
fn a_run_keeps_the_precision_that_was_chosen_for_it() {
    for (begun, elsewhere) in [(Precision::Bf16, Precision::F32), (Precision::F32, Precision::Bf16)]
    {
        let temporary = TempDir::new().unwrap();
        let whole = folder(&temporary);
        let stated = format!("precision=\"{begun}\"").leak();
        run(start(&whole, Start::New, &[stated]).unwrap(), None).unwrap().unwrap();

        let temporary = TempDir::new().unwrap();
        let moved = folder(&temporary);
        let trainer = start_choosing(&moved, Start::New, begun).unwrap();
        assert!(run(trainer, Some(End::Killed(5))).is_none());
        let trainer = start_choosing(&moved, Start::Resume, elsewhere).unwrap();
        run(trainer, None).unwrap().unwrap();
        let weights = "model.safetensors";
        assert!(bytes(&whole.bundle(), weights) == bytes(&moved.bundle(), weights), "{begun}");

        let manifest: serde_json::Value =
            serde_json::from_slice(&bytes(&moved.bundle(), "bundle.json")).unwrap();
        let log = std::fs::read_to_string(moved.log()).unwrap();
        let started = log.lines().filter(|line| line.contains("started"));
        let started = started.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let said: Vec<_> = started.map(|line| line["computation"].clone()).collect();
        assert_eq!(said.len(), 2);
        for said in said.iter().chain([&manifest["provenance"]["computation"]]) {
            assert_eq!(
                (&said["precision"], &said["asked"]),
                (&begun.as_str().into(), &"auto".into())
            );
            assert!(
                said["processor"]["name"].is_string() && said["processor"]["features"].is_array()
            );
        }
        // To state the other precision is to ask for another run.
        let stated = format!("precision=\"{elsewhere}\"").leak();
        let error = start(&moved, Start::Resume, &[stated]).err().unwrap().to_string();
        let expected = if begun == Precision::Bf16 { "in bf16, which" } else { "another recipe" };
        assert!(error.contains(expected), "{error}");
    }
    let print = |extra: &[&'static str]| prepared(&settings(extra)).fingerprint();
    // Recipes without the key meant f32 before it had another default.
    assert_eq!(print(&["precision=\"auto\""]), print(&["precision=\"f32\""]));
    assert_ne!(print(&["precision=\"auto\""]), print(&["precision=\"bf16\""]));
}
