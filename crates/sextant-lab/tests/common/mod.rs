//! Small runs whose metrics can be worked out by hand.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use sextant_core::{Grade, Prediction, Task};
use sextant_eval::{Bootstrap, Dataset, EvalOptions, EvalReport, Scored, evaluate};
use sextant_lab::{Baseline, Comparison, Run, RunFacts};

/// For each task 8 rows, the first `right` of which are answered right.
pub(crate) fn report(tasks: &[(Task, usize)], dataset: &str) -> EvalReport {
    let rows: Vec<_> = tasks
        .iter()
        .flat_map(|&(task, right)| {
            (0..8).map(move |i| {
                let grade = Grade::ALL[i % 3];
                let mut probs = [0.1; 3];
                probs[if i < right { grade.index() } else { (grade.index() + 1) % 3 }] = 0.8;
                Scored::new(task, grade, Prediction::new(probs))
            })
        })
        .collect();
    let options = EvalOptions {
        dataset: Some(Dataset { name: dataset.into(), sha256: None }),
        ranking: false,
        bootstrap: Some(Bootstrap { replicates: 200, ..Bootstrap::default() }),
    };
    evaluate(&rows, &options).unwrap()
}

pub(crate) fn run(name: &str, right: [usize; 6]) -> Run {
    let tasks: Vec<_> = Task::ALL.into_iter().zip(right).collect();
    Run { name: name.into(), report: report(&tasks, "tiny test rows"), facts: facts() }
}

pub(crate) fn facts() -> RunFacts {
    RunFacts {
        recipe: Some("recipes/demo.toml".into()),
        seed: Some(7),
        trainable_parameters: Some(1_234_567),
        train_rows: Some(12_000),
        wall_seconds: Some(75.25),
        rows_per_second: Some(478.41),
        peak_memory_bytes: Some(700 << 20),
    }
}

pub(crate) fn comparison() -> Comparison {
    let mut comparison = Comparison::new();
    comparison
        .add_baseline(Baseline {
            name: "majority".into(),
            accuracy: Task::ALL.into_iter().map(|task| (task, 0.375)).collect(),
            pooled: Some(0.375),
        })
        .unwrap();
    comparison.add_run(run("text prefix", [6, 5, 4, 4, 5, 3])).unwrap();
    comparison.add_run(run("multi-head | no prefix", [6, 6, 4, 3, 5, 2])).unwrap();
    let single = Run {
        name: "query-type alone".into(),
        report: report(&[(Task::QueryType, 8)], "tiny test rows"),
        facts: RunFacts::default(),
    };
    comparison.add_run(single).unwrap();
    comparison
}
