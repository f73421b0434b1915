//! Prediction-powered means against ppi_py. The goldens are written by `scripts/goldens/prediction_powered.py`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use serde::Deserialize;
use sextant_eval::PredictionPowered;

#[derive(Deserialize)]
struct Case {
    truth: Vec<f64>,
    judged: Vec<f64>,
    unlabelled: Vec<f64>,
    plain: Expected,
    tuned: Expected,
}

#[derive(Deserialize)]
struct Expected {
    value: f64,
    low: f64,
    high: f64,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("goldens/prediction_powered.json")).unwrap()
}

#[test]
fn estimates_are_those_of_ppi_py() {
    for Case { truth, judged, unlabelled, plain, tuned } in cases() {
        let both: Vec<(f64, f64)> = truth.into_iter().zip(judged).collect();
        for (reliance, expected) in [(Some(1.0), plain), (None, tuned)] {
            let found = PredictionPowered::mean(&both, &unlabelled, reliance).unwrap();
            for (found, expected) in [
                (found.value, expected.value),
                (found.interval.low, expected.low),
                (found.interval.high, expected.high),
            ] {
                assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
            }
        }
    }
}

#[test]
fn a_judge_that_knows_something_narrows_the_interval_and_a_useless_one_does_not_widen_it() {
    let widths = |case: &Case| {
        let both: Vec<(f64, f64)> =
            case.truth.iter().copied().zip(case.judged.iter().copied()).collect();
        let found = PredictionPowered::mean(&both, &case.unlabelled, None).unwrap();
        let width = |interval: sextant_eval::Interval| interval.high - interval.low;
        (width(found.interval), width(found.people.1), found)
    };
    let all = cases();
    let (narrow, wide, found) = widths(&all[0]);
    assert!(narrow < 0.8 * wide && found.effective_labels > 1.5, "{found:?}");
    let (narrow, wide, _) = widths(&all[3]);
    assert!(narrow <= wide + 1e-9);
}

#[test]
fn without_the_judge_people_alone_are_left() {
    let both = [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0)];
    let found = PredictionPowered::mean(&both, &[], None).unwrap();
    assert_eq!((found.value, found.reliance), (2.0 / 3.0, 0.0));
    assert_eq!(found.people, (found.value, found.interval));
    assert_eq!(PredictionPowered::mean(&[], &[1.0], None), None);
    // A judge that always says the same explains nothing.
    let constant = PredictionPowered::mean(&[(1.0, 1.0), (0.0, 1.0)], &[1.0; 9], None).unwrap();
    assert_eq!((constant.reliance, constant.value), (0.0, 0.5));
}

#[test]
fn labels_needed_to_settle_a_difference() {
    // Of the differences, a quarter is 1, a quarter -1: variance 0.5. The judge knows them all but gives many rows.
    let labels = [1.0, 0.0, -1.0, 0.0];
    let both: Vec<(f64, f64)> = (0..400).map(|i| (labels[i % 4], labels[i % 4])).collect();
    let judge_only: Vec<f64> = (0..40_000).map(|i| labels[i % 4]).collect();
    let found = PredictionPowered::mean(&both, &judge_only, None).unwrap();
    let [alone, with_judge] = found.labels_needed(0.05);
    // (1.96 + 0.84)² · 0.5 / 0.05² = 1569.8
    assert_eq!(alone, Some(1570.0));
    assert!(with_judge.unwrap() < 10.0, "{with_judge:?}");
    // So few rows of the judge cannot settle a thousandth.
    assert_eq!(found.labels_needed(0.001)[1], None);
    assert_eq!(found.labels_needed(0.0), [None, None]);
}
