//! What intervals and paired tests must be like, on rows whose sampling error is known.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic")]

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sextant_core::{Grade, Prediction, Task};
use sextant_eval::{
    Bootstrap, EvalError, EvalOptions, Interval, Metric, Scored, compare, evaluate,
};

const RIGHT: Prediction = Prediction::new([0.1, 0.2, 0.7]);
const WRONG: Prediction = Prediction::new([0.7, 0.2, 0.1]);

fn row(right: bool) -> Scored<'static> {
    let prediction = if right { RIGHT } else { WRONG };
    Scored::new(Task::QueryProduct, Grade::Relevant, prediction)
}

/// Independent rows, each right with probability `p`.
fn independent(rows: usize, p: f64, seed: u64) -> Vec<Scored<'static>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..rows).map(|_| row(rng.random_bool(p))).collect()
}

/// Rows of random tasks, grades, groups and weights.
fn mixed(rows: usize, names: &[String], seed: u64) -> Vec<Scored<'_>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || {
        let odds: [f32; 3] = std::array::from_fn(|_| rng.random_range(0.01..1.0));
        let sum: f32 = odds.iter().sum();
        Scored {
            task: Task::ALL[rng.random_range(0..Task::COUNT)],
            grade: Grade::ALL[rng.random_range(0..Grade::COUNT)],
            prediction: Prediction::new(odds.map(|odd| odd / sum)),
            group: rng.random_bool(0.8).then(|| names[rng.random_range(0..names.len())].as_str()),
            weight: rng.random_range(0.5..2.0),
        }
    };
    (0..rows).map(|_| draw()).collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("g{i}")).collect()
}

fn accuracy(rows: &[Scored<'_>]) -> (f64, Interval) {
    let report = evaluate(rows, &EvalOptions::full()).unwrap();
    let estimate = report.pooled.estimate(Metric::Accuracy).unwrap();
    (estimate.value, estimate.interval.unwrap())
}

fn width(interval: Interval) -> f64 {
    interval.high - interval.low
}

#[test]
fn independent_rows_have_the_binomial_interval() {
    for n in [500, 8000] {
        let (value, interval) = accuracy(&independent(n, 0.8, 3));
        let standard_error = (value * (1.0 - value) / n as f64).sqrt();
        // The standard error of a quantile from 1000 replicates is about 4 % of this width.
        let ratio = width(interval) / (2.0 * 1.96 * standard_error);
        assert!((0.85..1.15).contains(&ratio), "{n} rows: {ratio}");
        assert!(interval.low < value && value < interval.high, "{n} rows: {interval:?}");
    }
}

#[test]
fn groups_of_equal_rows_count_once() {
    // 400 groups of 9 equal rows: the interval of 400 rows, 3 times as wide as that of 3600.
    let names = names(400);
    let rows = independent(400, 0.7, 5);
    let clustered: Vec<Scored<'_>> = rows
        .iter()
        .zip(&names)
        .flat_map(|(row, name)| [Scored { group: Some(name), ..*row }; 9])
        .collect();
    let (value, interval) = accuracy(&clustered);
    let standard_error = (value * (1.0 - value) / 400.0).sqrt();
    let ratio = width(interval) / (2.0 * 1.96 * standard_error);
    assert!((0.85..1.15).contains(&ratio), "{ratio}");
}

#[test]
fn about_95_of_100_intervals_hold_the_truth() {
    let options = EvalOptions {
        bootstrap: Some(Bootstrap { replicates: 400, ..Bootstrap::default() }),
        ..EvalOptions::quick()
    };
    let holds = |seed: &u64| {
        let report = evaluate(&independent(400, 0.75, *seed), &options).unwrap();
        let interval = report.pooled.estimate(Metric::Accuracy).unwrap().interval.unwrap();
        interval.low <= 0.75 && 0.75 <= interval.high
    };
    let held = (0..300).filter(holds).count();
    // 285 expected; 5 standard deviations are 19.
    assert!((266..=300).contains(&held), "{held} of 300");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let names = names(40);
    let rows = mixed(300, &names, 1);
    let options = EvalOptions::full();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| evaluate(&rows, &options).unwrap().to_json().unwrap())
    };
    assert_eq!(run(1), run(3));
    let reseeded = EvalOptions {
        bootstrap: Some(Bootstrap { seed: 1, ..Bootstrap::default() }),
        ..EvalOptions::full()
    };
    assert_ne!(evaluate(&rows, &reseeded).unwrap().to_json().unwrap(), run(1));
}

#[test]
fn one_group_has_no_interval() {
    let rows = [row(true), row(false)].map(|row| Scored { group: Some("only"), ..row });
    let report = evaluate(&rows, &EvalOptions::full()).unwrap();
    assert_eq!(report.pooled.groups, 1);
    assert_eq!(report.pooled.estimate(Metric::Accuracy).unwrap().interval, None);
    let comparison = compare(&rows, &rows, &Bootstrap::default()).unwrap();
    assert_eq!(
        (comparison.accuracy.p_value, comparison.accuracy.difference.interval),
        (None, None)
    );
}

#[test]
fn a_better_system_is_found_and_luck_is_not() {
    let first = independent(3000, 0.70, 8);
    let better = compare(&first, &independent(3000, 0.76, 9), &Bootstrap::default()).unwrap();
    let interval = better.accuracy.difference.interval.unwrap();
    assert!(interval.low > 0.0 && interval.low < better.accuracy.difference.value);
    assert!(
        (better.accuracy.second - better.accuracy.first - better.accuracy.difference.value).abs()
            < 1e-12
    );
    assert!(better.accuracy.p_value.unwrap() < 0.01 && better.mcnemar.exact_p < 0.01, "{better:?}");

    let alike = compare(&first, &independent(3000, 0.70, 10), &Bootstrap::default()).unwrap();
    let interval = alike.accuracy.difference.interval.unwrap();
    assert!(interval.low < 0.0 && interval.high > 0.0, "{alike:?}");
    assert!(alike.accuracy.p_value.unwrap() > 0.05 && alike.mcnemar.exact_p > 0.05, "{alike:?}");

    let same = compare(&first, &first, &Bootstrap::default()).unwrap();
    assert_eq!(
        (same.accuracy.difference.value, same.accuracy.p_value, same.mcnemar.exact_p),
        (0.0, Some(1.0), 1.0)
    );
}

#[test]
fn groups_make_a_paired_test_less_sure() {
    // The second system gains 12 rows of one group and 2 others: McNemar sees 14 independent gains.
    let mut first: Vec<Scored<'_>> = independent(200, 1.0, 0);
    let mut second = first.clone();
    for (i, (a, b)) in first.iter_mut().zip(&mut second).enumerate().take(14) {
        *a = row(false);
        if i < 12 {
            (a.group, b.group) = (Some("one query"), Some("one query"));
        }
    }
    for b in &mut second[100..103] {
        *b = row(false);
    }
    let comparison = compare(&first, &second, &Bootstrap::default()).unwrap();
    assert_eq!((comparison.mcnemar.only_first, comparison.mcnemar.only_second), (3, 14));
    assert!(comparison.mcnemar.exact_p < 0.02, "{comparison:?}");
    assert!(comparison.accuracy.p_value.unwrap() > 0.05, "{comparison:?}");
}

#[test]
fn only_the_same_rows_can_be_compared() {
    type Change = fn(&mut Scored<'_>);

    let rows = independent(5, 0.5, 1);
    let bootstrap = Bootstrap::default();
    assert!(matches!(compare(&rows, &rows[..4], &bootstrap), Err(EvalError::RowCount { .. })));
    assert!(matches!(compare(&[], &[], &bootstrap), Err(EvalError::NoRows)));
    let changes: [(&str, Change); 4] = [
        ("task", |row| row.task = Task::TypeType),
        ("grade", |row| row.grade = Grade::Partial),
        ("group", |row| row.group = Some("other")),
        ("weight", |row| row.weight = 2.0),
    ];
    for (name, change) in changes {
        let mut other = rows.clone();
        change(&mut other[3]);
        let error = compare(&rows, &other, &bootstrap).unwrap_err();
        assert!(
            matches!(error, EvalError::RowMismatch { index: 3, what } if what == name),
            "{error}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Intervals are ordered, within the range of the metric, and there is one wherever a metric
    /// can be estimated; JSON brings the same report back.
    #[test]
    fn reports_are_sound(rows in 1_usize..120, groups in 1_usize..30, seed in 0_u64..1000) {
        let names = names(groups);
        let rows = mixed(rows, &names, seed);
        let bootstrap = Bootstrap { replicates: 60, ..Bootstrap::default() };
        let options = EvalOptions { bootstrap: Some(bootstrap), ..EvalOptions::full() };
        let report = evaluate(&rows, &options).unwrap();
        let json = report.to_json().unwrap();
        prop_assert_eq!(&sextant_eval::EvalReport::from_json(&json).unwrap(), &report);
        prop_assert!(!json.contains("NaN") && !json.contains("inf"));
        let slices = report.tasks.values().chain([&report.pooled]);
        for slice in slices {
            let cells: f64 = slice.confusion.iter().flatten().sum();
            let bins: f64 = slice.reliability.iter().map(|bin| bin.count).sum();
            prop_assert!((cells - bins).abs() < 1e-9);
            for metric in Metric::ALL {
                let Some(estimate) = slice.estimate(metric) else { continue };
                prop_assert!(estimate.value.is_finite());
                prop_assert!(slice.groups > 1 || estimate.interval.is_none());
                if let Some(interval) = estimate.interval {
                    prop_assert!(interval.low <= interval.high);
                    let (low, high) = match metric {
                        Metric::QuadraticKappa | Metric::CohenKappa => (-1.0, 1.0),
                        Metric::Mae | Metric::Rmse | Metric::Brier => (0.0, 2.0),
                        Metric::LogLoss => (0.0, 37.0),
                        _ => (0.0, 1.0),
                    };
                    prop_assert!(low - 1e-9 <= interval.low && interval.high <= high + 1e-9);
                }
            }
        }
        let rows_of_tasks: usize = report.tasks.values().map(|slice| slice.rows).sum();
        prop_assert_eq!(rows_of_tasks, rows.len());
    }

    /// The order of rows changes no value.
    #[test]
    fn order_does_not_matter(seed in 0_u64..1000) {
        let names = names(9);
        let rows = mixed(80, &names, seed);
        let reversed: Vec<Scored<'_>> = rows.iter().rev().copied().collect();
        let options = EvalOptions { ranking: true, ..EvalOptions::quick() };
        let (there, back) =
            (evaluate(&rows, &options).unwrap(), evaluate(&reversed, &options).unwrap());
        for metric in Metric::ALL {
            let (a, b) = (there.pooled.value(metric), back.pooled.value(metric));
            prop_assert!((a.unwrap() - b.unwrap()).abs() < 1e-12);
        }
    }
}
