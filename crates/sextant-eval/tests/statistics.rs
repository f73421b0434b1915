//! Tests, effect sizes, calibration, diversity and intervals against scipy, statsmodels and
//! scikit-learn. The goldens are written by `scripts/goldens/lab_statistics.py`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use serde::Deserialize;
use sextant_core::{Grade, Prediction, Task};
use sextant_eval::{
    Bootstrap, Estimate, EvalOptions, McNemar, Metric, PairedRow, RiskCoverage, Scored,
    SeededDifference, agreement, at_temperature, cohens_h, evaluate, fit_temperature, holm,
    paired_accuracy, risk_coverage,
};

#[derive(Deserialize)]
struct Goldens {
    holm: Vec<Family>,
    odds_ratio: Vec<Odds>,
    cohens_h: Vec<Shares>,
    calibration: Vec<Calibration>,
    diversity: Vec<Diversity>,
    paired_bootstrap: Vec<Paired>,
    welch: Vec<Welch>,
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("goldens/statistics.json")).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[derive(Deserialize)]
struct Family {
    p: Vec<f64>,
    corrected: Vec<f64>,
}

#[test]
fn holm_equals_that_of_statsmodels() {
    for Family { p, corrected } in goldens().holm {
        let found = holm(&p);
        assert_eq!(found.len(), corrected.len());
        for (found, expected) in found.into_iter().zip(corrected) {
            close(found, expected, 1e-12, "corrected p");
        }
    }
}

#[derive(Deserialize)]
struct Odds {
    only_first: u64,
    only_second: u64,
    level: f64,
    value: Option<f64>,
    low: f64,
    high: Option<f64>,
}

/// scipy's limits are shares accurate to 2e-12; for small odds that is a relative error of some 1e-7.
#[test]
fn odds_ratios_have_the_limits_of_clopper_and_pearson() {
    for case in goldens().odds_ratio {
        let found = McNemar::new(case.only_first, case.only_second).odds_ratio(case.level).unwrap();
        let what = format!("{found:?}");
        close(found.low, case.low, 1e-6 * case.low, &what);
        for (found, expected) in [(found.value, case.value), (found.high, case.high)] {
            match (found, expected) {
                (Some(found), Some(expected)) => close(found, expected, 1e-6 * expected, &what),
                (found, expected) => assert_eq!(found, expected, "{what}"),
            }
        }
    }
}

#[derive(Deserialize)]
struct Shares {
    first: f64,
    second: f64,
    value: f64,
}

#[test]
fn cohens_h_equals_the_effect_size_of_statsmodels() {
    for Shares { first, second, value } in goldens().cohens_h {
        close(cohens_h(first, second), value, 1e-12, "Cohen's h");
    }
}

#[derive(Deserialize)]
struct Calibration {
    grade: Vec<Grade>,
    thousandths: Vec<[u16; 3]>,
    weight: Vec<f32>,
    temperature: f64,
    before: Losses,
    after: Losses,
    risk_coverage: Option<RiskCoverage>,
}

#[derive(Deserialize)]
struct Losses {
    ece: f64,
    log_loss: f64,
}

impl Calibration {
    fn rows(&self) -> Vec<Scored<'_>> {
        let row = |((&grade, thousandths), &weight): ((&Grade, &[u16; 3]), &f32)| {
            let probs = thousandths.map(|p| (f64::from(p) / 1000.0) as f32);
            Scored { weight, ..Scored::new(Task::QueryType, grade, Prediction::new(probs)) }
        };
        self.grade.iter().zip(&self.thousandths).zip(&self.weight).map(row).collect()
    }
}

fn check_losses(rows: &[Scored<'_>], expected: &Losses, tolerance: f64) {
    let report = evaluate(rows, &EvalOptions::quick()).unwrap().pooled;
    close(report.value(Metric::Ece).unwrap(), expected.ece, tolerance, "ECE");
    close(report.value(Metric::LogLoss).unwrap(), expected.log_loss, tolerance, "log loss");
}

#[test]
fn temperatures_are_those_that_scipy_finds() {
    for case in goldens().calibration {
        let mut rows = case.rows();
        check_losses(&rows, &case.before, 1e-9);
        let found = fit_temperature(&rows);
        close(found, case.temperature, 1e-4 * case.temperature, "temperature");
        for row in &mut rows {
            row.prediction = at_temperature(row.prediction, found);
        }
        // Predictions are f32 again.
        check_losses(&rows, &case.after, 1e-5);
    }
}

#[test]
fn areas_are_those_of_risks_counted_row_by_row() {
    let cases = goldens().calibration;
    assert!(cases.iter().filter(|case| case.risk_coverage.is_some()).count() >= 3);
    for case in cases {
        let Some(expected) = case.risk_coverage else { continue };
        let found = risk_coverage(&case.rows()).unwrap();
        close(found.aurc, expected.aurc, 1e-12, "AURC");
        close(found.excess_aurc, expected.excess_aurc, 1e-12, "excess AURC");
    }
}

#[derive(Deserialize)]
struct Diversity {
    truth: String,
    members: Vec<String>,
    disagreement: f64,
    q: f64,
    kappa: f64,
    quadratic_kappa: f64,
}

fn grades(digits: &str) -> Vec<Grade> {
    digits.bytes().map(|digit| Grade::ALL[usize::from(digit - b'0')]).collect()
}

#[test]
fn diversity_equals_that_of_scikit_learn() {
    for case in goldens().diversity {
        let members: Vec<_> = case.members.iter().map(|member| grades(member)).collect();
        let found = agreement(&members, &grades(&case.truth)).unwrap();
        close(found.disagreement, case.disagreement, 1e-12, "disagreement");
        close(found.q.unwrap(), case.q, 1e-12, "Q");
        close(found.kappa.unwrap(), case.kappa, 1e-12, "kappa");
        // Quadratic kappa between members is that of one member against another as the truth.
        let mut quadratic = Vec::new();
        for (index, first) in members.iter().enumerate() {
            for second in &members[index + 1..] {
                let row = |(&truth, &grade): (&Grade, &Grade)| {
                    let mut probs = [0.0; 3];
                    probs[grade.index()] = 1.0;
                    Scored::new(Task::QueryType, truth, Prediction::new(probs))
                };
                let rows: Vec<_> = first.iter().zip(second).map(row).collect();
                let report = evaluate(&rows, &EvalOptions::quick()).unwrap();
                quadratic.push(report.pooled.value(Metric::QuadraticKappa).unwrap());
            }
        }
        let mean = quadratic.iter().sum::<f64>() / quadratic.len() as f64;
        close(mean, case.quadratic_kappa, 1e-12, "quadratic kappa");
    }
}

#[derive(Deserialize)]
struct Paired {
    group: Option<Vec<usize>>,
    first: String,
    second: String,
    replicates: usize,
    difference: Ends,
    cohens_h: Ends,
}

#[derive(Deserialize)]
struct Ends {
    value: f64,
    low: f64,
    high: f64,
}

/// Both sides resample at random, so that their ends differ by chance: at 20,000 replicates the end
/// of a 95 % interval has a standard error of 0.5 % of the interval's width, the difference of two
/// 0.7 %. Allowed is 2.5 %, and one row more or less, as a difference comes in steps of that.
fn check_ends(found: Estimate, expected: &Ends, rows: usize, what: &str) {
    close(found.value, expected.value, 1e-12, what);
    let interval = found.interval.unwrap();
    let tolerance = 0.025 * (expected.high - expected.low) + 1.0 / rows as f64;
    close(interval.low, expected.low, tolerance, what);
    close(interval.high, expected.high, tolerance, what);
}

#[test]
fn paired_intervals_are_those_of_scipy_within_chance() {
    let cases = goldens().paired_bootstrap;
    assert!(cases.iter().any(|case| case.group.is_none()));
    assert!(cases.iter().any(|case| case.group.is_some()));
    for case in cases {
        let names: Option<Vec<String>> =
            case.group.map(|groups| groups.iter().map(usize::to_string).collect());
        let right = |digit: u8| f64::from(u8::from(digit == b'1'));
        let pairs = case.first.bytes().zip(case.second.bytes()).enumerate();
        let rows: Vec<PairedRow<'_>> = pairs
            .map(|(index, (first, second))| PairedRow {
                group: names.as_ref().map(|names| names[index].as_str()),
                weight: 1.0,
                first: right(first),
                second: right(second),
            })
            .collect();
        let bootstrap = Bootstrap { replicates: case.replicates, ..Bootstrap::default() };
        let found = paired_accuracy(&rows, &bootstrap).unwrap();
        check_ends(found.difference, &case.difference, rows.len(), "difference");
        check_ends(found.cohens_h, &case.cohens_h, rows.len(), "Cohen's h");
    }
}

#[derive(Deserialize)]
struct Welch {
    first: Vec<f64>,
    second: Vec<f64>,
    degrees: f64,
    p: f64,
    low_99: f64,
    high_99: f64,
}

/// Where test rows add no variance, since the difference is the same on each of them, what is left is
/// Welch's test of the seeds.
#[test]
fn without_spread_of_rows_it_is_the_test_of_welch() {
    for Welch { first, second, degrees, p, low_99, high_99 } in goldens().welch {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let differences = [mean(&second) - mean(&first); 50];
        let found = SeededDifference::new(&differences, &[None; 50], &first, &second);
        let found = found.unwrap().unwrap();
        close(found.degrees, degrees, 1e-6, "degrees of freedom");
        close(found.p_value(), p, 1e-9, "p");
        let interval = found.interval(0.99);
        close(interval.low, low_99, 1e-9, "low");
        close(interval.high, high_99, 1e-9, "high");
    }
}
