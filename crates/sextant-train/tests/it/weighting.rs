//! What weighing tasks does to the gradient of a step.

use crate::common::{prepared, train};
use sextant_core::Task;
use sextant_train::{StepOptions, Target, gradients};

/// The rows of a step, with uneven numbers of rows per task.
fn batch(rows: &sextant_train::Rows) -> Vec<Target<'_>> {
    let counts = [5, 1, 3, 2, 0, 1];
    Task::ALL
        .into_iter()
        .flat_map(|task| {
            let of_task: Vec<_> = (0..rows.len()).filter(|&i| rows.tasks()[i] == task).collect();
            of_task.into_iter().take(counts[task.index()]).map(|i| rows.learn(i))
        })
        .collect()
}

#[test]
fn steps_go_their_own_way_for_each_weighting() {
    let mut ends = Vec::new();
    for way in [
        "{ kind = \"rows\" }",
        "{ kind = \"equal\" }",
        "{ kind = \"uncertainty\" }",
        "{ kind = \"dynamic\", window = 1 }",
        "{ kind = \"pcgrad\" }",
    ] {
        let setting = format!("task_weighting={way}");
        let settings = ["batch.mixing=\"mixed\"", "optimizer.head_learning_rate=0.1", &setting];
        let (before, after, summary) = train(&settings);
        assert_eq!(summary.steps, 6);
        assert_ne!(after, before, "{way}");
        assert!(after.values().all(|values| values.data.iter().all(|x| x.is_finite())), "{way}");
        for (other, end) in &ends {
            assert_ne!(&after, end, "{way} went the way of {other}");
        }
        ends.push((way, after));
    }
}

#[test]
fn a_divisor_replaces_the_sum_of_weights() {
    let prepared = prepared(&[]);
    let recipe = &prepared.plan.recipe;
    let batch = batch(&prepared.train);
    let options = StepOptions {
        precision: prepared.plan.computation.precision,
        loss: &recipe.loss,
        distillation: None,
        behaviour: None,
        layers: None,
        pack_tokens: 64,
        key: [1, 0],
        checkpointing: false,
        divisor: None,
    };
    let mean = gradients(&prepared.model, &batch, options).unwrap();
    let half = StepOptions { divisor: Some(2.0 * batch.len() as f64), ..options };
    let half = gradients(&prepared.model, &batch, half).unwrap();
    assert!((mean.loss() / half.loss() - 2.0).abs() < 1e-9);
    assert!((mean.gradients.norm() / half.gradients.norm() - 2.0).abs() < 1e-5);
}

#[test]
fn options_of_other_ways_are_refused() {
    let refused = |settings: &[&str]| crate::common::plan(settings).unwrap_err().to_string();
    let window = refused(&["task_weighting.kind=\"equal\"", "task_weighting.window=5"]);
    assert!(window.contains("task_weighting"), "{window}");
    let temperature = refused(&["task_weighting={ kind = \"dynamic\", temperature = 0.0 }"]);
    assert!(temperature.contains("task_weighting.temperature"), "{temperature}");
}
