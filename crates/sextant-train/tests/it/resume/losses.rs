//! The same with losses besides those of grades.

use super::ends_in_the_same_bytes;
use crate::common::{Silent, prepared};
use sextant_files::Existing;
use sextant_train::{RunFolder, Start, Trainer};
use tempfile::TempDir;

#[test]
fn a_killed_run_with_a_penalty_ends_in_the_same_bytes() {
    let extra = ["consistency={weight=2.0,triangles=4}", "batch.mixing=\"mixed\""];
    ends_in_the_same_bytes(&extra, &["model.safetensors"]);
}

/// The matrix that leads from the student's width to the teacher's is part of the checkpoint.
#[test]
fn a_killed_run_that_learns_from_layers_ends_in_the_same_bytes() {
    let temporary = TempDir::new().unwrap();
    let teacher = RunFolder(temporary.path().join("teacher"));
    let settings = [
        "schedule.steps=2",
        "model.backbone={ vocab_size = 300, hidden_size = 48, layers = 3, attention_heads = 2, intermediate_size = 64 }",
    ];
    let trainer = Trainer::new(prepared(&settings), teacher.clone(), Start::New, Existing::Refuse);
    trainer.unwrap().run(&mut Silent).unwrap();
    let layers = |keys: &str| {
        let (bundle, cache) = (teacher.bundle(), temporary.path().join("cache"));
        format!("teacher={{ sources = [{bundle:?}], cache = {cache:?}, layers = {{ {keys} }} }}")
            .leak()
    };
    let uniform = &*layers("");
    ends_in_the_same_bytes(&[uniform], &["model.safetensors"]);
    let last = &*layers("map = \"last\", attention = 0.0, hidden = 0.3");
    ends_in_the_same_bytes(&[last, "optimizer.moments=\"int8\""], &["model.safetensors"]);
}
