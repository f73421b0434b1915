//! Which parameters a step moves.

use crate::common::train;

#[test]
fn frozen_parameters_stay_and_all_others_move() {
    let (before, after, summary) = train(&[
        "schedule.steps=3",
        "dev.every=3",
        "batch.rows=24",
        "batch.sampling=\"uniform\"",
        "model.freeze=[\"embeddings\", \"trunk.0\", \"branches.query-type\"]",
    ]);
    let mut trained = 0;
    for (name, values) in &before {
        let frozen = ["embeddings.", "trunk.0.", "branches.query-type."]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        assert_eq!(*values == after[name], frozen, "{name}");
        trained += if frozen { 0 } else { values.data.len() as u64 };
    }
    assert_eq!(summary.trainable_parameters, trained);
    assert!(trained > 0 && trained < summary.parameters);
}

#[test]
fn a_step_leaves_the_branches_of_other_tasks_alone() {
    let lora = ["model.lora={ rank = 2 }", "model.routing.private=\"adapter\""];
    for lora in [&[][..], &lora] {
        moves_one_branch(lora);
    }
}

fn moves_one_branch(extra: &[&str]) {
    let settings = ["schedule.steps=1", "batch.mixing=\"single_task\""];
    let (before, after, _) = train(&[&settings, extra].concat());
    let moved: std::collections::BTreeSet<&str> = before
        .iter()
        .filter(|(name, values)| name.starts_with("branches.") && after[*name] != **values)
        .map(|(name, _)| name.split('.').nth(1).unwrap())
        .collect();
    assert_eq!(moved.len(), 1, "{moved:?}");
}
