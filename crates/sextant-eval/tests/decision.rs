//! Decision rules fitted on rows, against every pair of thresholds and against the report's metrics.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use sextant_core::{DecisionRule, Grade, Prediction, Task};
use sextant_eval::{EvalOptions, Metric, Objective, Scored, evaluate, fit_decision};

const GROUPS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

fn row(grade: usize, odds: [u8; 3], group: Option<usize>) -> Scored<'static> {
    let odds = odds.map(|odd| f32::from(odd) + 0.5);
    let sum: f32 = odds.iter().sum();
    let prediction = Prediction::new(odds.map(|odd| odd / sum));
    let group = group.map(|group| GROUPS[group]);
    Scored { group, ..Scored::new(Task::QueryType, Grade::ALL[grade], prediction) }
}

/// A metric of the rows when a rule decides, or when the most probable grade is taken.
fn metric(rows: &[Scored<'_>], rule: Option<DecisionRule>, metric: Metric) -> Option<f64> {
    let decided = rows.iter().map(|row| {
        let prediction = rule.map_or(row.prediction, |rule| rule.decide(row.prediction));
        Scored { prediction, ..*row }
    });
    let decided: Vec<_> = decided.collect();
    evaluate(&decided, &EvalOptions::quick()).unwrap().pooled.value(metric)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No other pair of thresholds is better, and what is reported is what the metrics of `evaluate` say.
    #[test]
    fn the_fitted_rule_is_the_best(
        rows in prop::collection::vec((0..3_usize, [0..9_u8, 0..9, 0..9], prop::option::of(0..7_usize)), 2..25),
        which in 0..3_usize,
    ) {
        let rows: Vec<_> = rows.into_iter().map(|(grade, odds, group)| row(grade, odds, group)).collect();
        let (objective, name) = [
            (Objective::Accuracy, Metric::Accuracy),
            (Objective::MacroF1, Metric::MacroF1),
            (Objective::QuadraticKappa, Metric::QuadraticKappa),
        ][which];
        let found = fit_decision(&rows, &objective).unwrap();
        let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            (a, b) => a == b,
        };
        prop_assert!(close(found.before, metric(&rows, None, name)));
        prop_assert!(close(found.fitted, metric(&rows, Some(found.rule), name)));
        let mut cuts: Vec<f32> = rows.iter().map(|row| row.prediction.expected_grade()).collect();
        cuts.push(3.0);
        for &low in &cuts {
            for &high in cuts.iter().filter(|&&high| high >= low) {
                let other = metric(&rows, Some(DecisionRule::new([low, high]).unwrap()), name);
                prop_assert!(other.unwrap_or(-9.0) <= found.fitted.unwrap_or(-9.0) + 1e-9);
            }
        }
    }
}

/// A model that has seen few irrelevant rows: that grade is never the most probable one.
fn timid(rows: usize) -> Vec<Scored<'static>> {
    let of = |i: usize| match i % 10 {
        0 | 1 => row(0, [20, 40 + (i % 7) as u8, 10], None),
        2..=5 => row(1, [6, 50, 30 + (i % 5) as u8], None),
        _ => row(2, [2, 30, 60 + (i % 9) as u8], None),
    };
    (0..rows).map(of).collect()
}

#[test]
fn finds_the_grade_that_is_never_the_most_probable() {
    let rows = timid(200);
    assert!(rows.iter().all(|row| row.prediction.grade() != Grade::Irrelevant));
    let found = fit_decision(&rows, &Objective::MacroF1).unwrap();
    assert!(found.helps, "{found:?}");
    assert!(found.before.unwrap() < 0.65 && found.cross_fitted.unwrap() > 0.99, "{found:?}");
}

#[test]
fn a_rule_that_only_fits_noise_does_not_help() {
    // The grades do not depend on the answers.
    let rows: Vec<_> = (0..200)
        .map(|i| row(i * 7 % 11 % 3, [(i * 13 % 9) as u8, 9, (i * 5 % 7) as u8], None))
        .collect();
    let found = fit_decision(&rows, &Objective::Accuracy).unwrap();
    assert!(found.fitted > found.cross_fitted, "{found:?}");
    // Rows of a single group say nothing about other groups.
    let rows: Vec<_> =
        timid(50).into_iter().map(|row| Scored { group: Some("a"), ..row }).collect();
    assert!(!fit_decision(&rows, &Objective::MacroF1).unwrap().helps);
    assert_eq!(fit_decision(&[], &Objective::MacroF1), None);
}

#[test]
fn costs_move_the_thresholds() {
    let rows = timid(200);
    let dear = |missed: &str| missed.parse::<Objective>().unwrap();
    // If showing an irrelevant row costs nothing, nothing is gained by finding it.
    let found = fit_decision(&rows, &dear("cost=0,0,0/1,0,1/1,1,0")).unwrap();
    assert_eq!(found.fitted, Some(0.0));
    let found = fit_decision(&rows, &dear("cost=0,5,9/1,0,1/1,1,0")).unwrap();
    assert_eq!((found.before, found.fitted, found.helps), (Some(1.0), Some(0.0), true));
}

#[test]
fn many_rows_are_fitted_over_a_thousand_thresholds() {
    let rows: Vec<_> = (0..5000_u32)
        .map(|i| {
            let expected = 2.0 * (i as f32 + 0.5) / 5000.0;
            let probs = [1.0 - expected / 2.0, 0.0, expected / 2.0];
            let grade = Grade::ALL[usize::from(expected > 0.3) + usize::from(expected > 0.9)];
            Scored::new(Task::QueryType, grade, Prediction::new(probs))
        })
        .collect();
    let found = fit_decision(&rows, &Objective::QuadraticKappa).unwrap();
    let [low, high] = found.rule.thresholds();
    assert!((low - 0.3).abs() < 0.003 && (high - 0.9).abs() < 0.003, "{found:?}");
    assert!(found.cross_fitted.unwrap() > 0.995);
}
