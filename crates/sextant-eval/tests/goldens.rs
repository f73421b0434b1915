//! Every metric against scikit-learn, McNemar's test against statsmodels. The goldens are written by
//! `scripts/goldens/metrics.py`.

use serde::Deserialize;
use sextant_core::{Grade, Prediction, Task};
use sextant_eval::{EvalOptions, McNemar, Metric, Scored, TaskMetrics, evaluate};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Case {
    name: String,
    rows: Rows,
    expected: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Rows {
    task: Vec<Task>,
    group: Vec<Option<String>>,
    grade: Vec<Grade>,
    thousandths: Vec<[u16; 3]>,
    weight: Vec<f32>,
}

impl Rows {
    fn scored(&self) -> Vec<Scored<'_>> {
        let row = |i: usize| Scored {
            task: self.task[i],
            grade: self.grade[i],
            prediction: Prediction::new(
                self.thousandths[i].map(|p| (f64::from(p) / 1000.0) as f32),
            ),
            group: self.group[i].as_deref(),
            weight: self.weight[i],
        };
        (0..self.task.len()).map(row).collect()
    }
}

#[derive(Deserialize)]
struct Expected {
    rows: usize,
    ranked_lists: usize,
    precision: [f64; 3],
    recall: [f64; 3],
    f1: [f64; 3],
    support: [f64; 3],
    confusion: [[f64; 3]; 3],
    #[serde(flatten)]
    metrics: BTreeMap<Metric, Option<f64>>,
}

fn close(found: f64, expected: f64, what: &str) {
    let tolerance = 1e-9 * expected.abs() + 1e-12;
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

fn check(found: &TaskMetrics, expected: &Expected, what: &str) {
    assert_eq!(found.rows, expected.rows, "{what}");
    assert_eq!(found.ranked_lists, expected.ranked_lists, "{what}");
    assert_eq!(expected.metrics.len(), Metric::COUNT, "{what}");
    for (&metric, &value) in &expected.metrics {
        let what = format!("{what}, {metric}");
        match (found.value(metric), value) {
            (Some(found), Some(value)) => close(found, value, &what),
            (found, value) => assert_eq!(found, value, "{what}"),
        }
    }
    for (k, class) in found.classes.iter().enumerate() {
        close(class.precision.value, expected.precision[k], &format!("{what}, precision of {k}"));
        close(class.recall.value, expected.recall[k], &format!("{what}, recall of {k}"));
        close(class.f1.value, expected.f1[k], &format!("{what}, F1 of {k}"));
        close(class.support, expected.support[k], &format!("{what}, support of {k}"));
    }
    assert_eq!(found.confusion, expected.confusion, "{what}");
}

#[test]
fn metrics_equal_those_of_scikit_learn() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("goldens/metrics.json")).unwrap();
    assert_eq!(cases.len(), 12);
    let options = EvalOptions { ranking: true, ..EvalOptions::quick() };
    for Case { name, rows, expected } in &cases {
        let report = evaluate(&rows.scored(), &options).unwrap();
        check(&report.pooled, &expected["pooled"], name);
        assert_eq!(report.tasks.len() + 1, expected.len(), "{name}");
        for (task, metrics) in &report.tasks {
            check(metrics, &expected[task.as_str()], &format!("{name}, {task}"));
        }
        for metric in Metric::ALL {
            let tasks = expected.iter().filter(|(slice, _)| *slice != "pooled");
            let values: Vec<f64> = tasks.filter_map(|(_, task)| task.metrics[&metric]).collect();
            match report.macro_value(metric) {
                Some(mean) => {
                    close(mean, values.iter().sum::<f64>() / values.len() as f64, name);
                }
                None => assert!(values.is_empty(), "{name}, {metric}"),
            }
        }
    }
}

#[test]
fn mcnemar_equals_that_of_statsmodels() {
    #[derive(Deserialize)]
    struct Expected {
        only_first: u64,
        only_second: u64,
        exact_p: f64,
        corrected_statistic: Option<f64>,
        corrected_p: Option<f64>,
    }
    let cases: Vec<Expected> = serde_json::from_str(include_str!("goldens/mcnemar.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let found = McNemar::new(case.only_first, case.only_second);
        let what = format!("{found:?}");
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() <= 1e-9 * expected, "{what}: expected {expected}");
        };
        close(found.exact_p, case.exact_p);
        if let (Some(statistic), Some(p)) = (case.corrected_statistic, case.corrected_p) {
            close(found.corrected_statistic, statistic);
            close(found.corrected_p, p);
        }
    }
}
