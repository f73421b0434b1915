//! The same with losses besides those of grades.

use super::ends_in_the_same_bytes;
use crate::common::learning_from_layers;
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
    let layers = |keys: &str| &*learning_from_layers(temporary.path(), keys).leak();
    let uniform = layers("");
    ends_in_the_same_bytes(&[uniform], &["model.safetensors"]);
    let last = layers("map = \"last\", attention = 0.0, hidden = 0.3");
    ends_in_the_same_bytes(&[last, "optimizer.moments=\"int8\""], &["model.safetensors"]);
}
