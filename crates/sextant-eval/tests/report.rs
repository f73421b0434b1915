//! Reports: hand-worked numbers, the text and JSON that users see, and input that is refused.

use sextant_core::{Example, Grade, Prediction, Task};
use sextant_eval::{
    Bootstrap, Dataset, EvalError, EvalOptions, EvalReport, Metric, RELIABILITY_BINS, Scored,
    evaluate,
};

fn scored(task: Task, grade: usize, probs: [f32; 3], group: Option<&str>) -> Scored<'_> {
    let grade = Grade::ALL[grade];
    Scored { group, ..Scored::new(task, grade, Prediction::new(probs)) }
}

fn sample() -> Vec<Scored<'static>> {
    use Task::{QueryProduct, TypeType};
    vec![
        scored(QueryProduct, 2, [0.125, 0.125, 0.75], Some("drill")),
        scored(QueryProduct, 0, [0.5, 0.25, 0.25], Some("drill")),
        scored(QueryProduct, 1, [0.25, 0.25, 0.5], Some("saw")),
        scored(QueryProduct, 1, [0.125, 0.75, 0.125], Some("saw")),
        scored(QueryProduct, 0, [0.625, 0.25, 0.125], None),
        scored(TypeType, 2, [0.0, 0.25, 0.75], None),
        scored(TypeType, 2, [0.25, 0.25, 0.5], None),
    ]
}

#[test]
fn calibration_error_of_a_hand_worked_case() {
    let task = Task::QueryQuery;
    let rows = [
        // Confidence 0.75 is in bin 11, (0.733, 0.8]: two rows, one right: gap |0.5 - 0.75|.
        scored(task, 0, [0.75, 0.25, 0.0], None),
        scored(task, 1, [0.75, 0.25, 0.0], None),
        // Confidence 0.5 is in bin 7, (0.467, 0.533]: right: gap 0.5.
        scored(task, 2, [0.25, 0.25, 0.5], None),
        // Confidence 1 is in the last bin: right: gap 0.
        scored(task, 2, [0.0, 0.0, 1.0], None),
    ];
    let report = evaluate(&rows, &EvalOptions::quick()).unwrap();
    let expected = 2.0 / 4.0 * 0.25 + 1.0 / 4.0 * 0.5;
    assert!((report.pooled.value(Metric::Ece).unwrap() - expected).abs() < 1e-12);

    let bins = &report.pooled.reliability;
    assert_eq!(bins.len(), RELIABILITY_BINS);
    assert_eq!(
        (bins[11].count, bins[11].mean_confidence, bins[11].accuracy),
        (2.0, Some(0.75), Some(0.5))
    );
    assert_eq!((bins[7].count, bins[14].count), (1.0, 1.0));
    assert_eq!((bins[0].count, bins[0].mean_confidence, bins[0].accuracy), (0.0, None, None));
    assert!((bins[7].low - 7.0 / 15.0).abs() < 1e-12 && (bins[14].high - 1.0).abs() < 1e-12);
}

#[test]
fn pooled_and_mean_over_tasks_of_a_hand_worked_case() {
    let report =
        evaluate(&sample(), &EvalOptions { ranking: true, ..EvalOptions::quick() }).unwrap();
    // 4 of 5 and 2 of 2: pooled 6/7, mean 0.9.
    assert!((report.pooled.value(Metric::Accuracy).unwrap() - 6.0 / 7.0).abs() < 1e-12);
    assert!((report.macro_value(Metric::Accuracy).unwrap() - 0.9).abs() < 1e-12);
    // Of the two groups, `drill` is ranked well; `saw` has equal gains, so any order is ideal.
    assert_eq!(report.pooled.ranked_lists, 2);
    assert_eq!(report.pooled.value(Metric::NdcgAt10), Some(1.0));
    assert_eq!((report.pooled.rows, report.pooled.groups), (7, 5));
    // Two relevant rows, both found: kappa is undefined, and left out of the mean over tasks.
    let types = &report.tasks[&Task::TypeType];
    assert_eq!(types.value(Metric::QuadraticKappa), None);
    assert_eq!(
        report.macro_value(Metric::QuadraticKappa),
        report.tasks[&Task::QueryProduct].value(Metric::QuadraticKappa)
    );
}

#[test]
fn one_name_in_two_tasks_is_two_lists_and_one_unit() {
    let rows: Vec<Scored<'_>> = [Task::QueryProduct, Task::QueryType]
        .into_iter()
        .flat_map(|task| {
            [
                scored(task, 2, [0.0, 0.0, 1.0], Some("drill")),
                scored(task, 0, [1.0, 0.0, 0.0], Some("drill")),
            ]
        })
        .collect();
    let report = evaluate(&rows, &EvalOptions::full()).unwrap();
    assert_eq!((report.pooled.ranked_lists, report.pooled.groups), (2, 1));
}

#[test]
fn the_quick_path_has_neither_intervals_nor_ranking() {
    let report = evaluate(&sample(), &EvalOptions::quick()).unwrap();
    assert!(!report.pooled.metrics.contains_key(&Metric::NdcgAt10));
    assert_eq!(report.pooled.ranked_lists, 0);
    assert!(report.pooled.metrics.values().flatten().all(|estimate| estimate.interval.is_none()));
    // The metrics that the quick evaluation does compute are the same.
    let full = evaluate(&sample(), &EvalOptions::full()).unwrap();
    for metric in Metric::ALL.into_iter().filter(|&metric| metric != Metric::NdcgAt10) {
        assert_eq!(report.pooled.value(metric), full.pooled.value(metric), "{metric}");
    }
}

#[test]
fn the_weight_of_an_examples_loss_does_not_weigh_metrics() {
    let mut example = Example::new(Task::QueryType, "drill", "power tools", Grade::Relevant);
    example.weight = 5.0;
    example.group = Some("drill".to_owned());
    let row = Scored::of(&example, Prediction::new([0.0, 0.0, 1.0]));
    assert_eq!((row.weight, row.group, row.grade), (1.0, Some("drill"), Grade::Relevant));
}

#[test]
fn text_for_the_terminal() {
    let dataset = Dataset { name: "public-six test".to_owned(), sha256: None };
    let options = EvalOptions {
        dataset: Some(dataset),
        ranking: true,
        bootstrap: Some(Bootstrap { replicates: 200, ..Bootstrap::default() }),
    };
    insta::assert_snapshot!("full", evaluate(&sample(), &options).unwrap().render_text());
    insta::assert_snapshot!(
        "quick",
        evaluate(&sample(), &EvalOptions::quick()).unwrap().render_text()
    );
}

#[test]
fn json_is_stable() {
    let rows = &sample()[5..];
    let report = evaluate(rows, &EvalOptions { ranking: true, ..EvalOptions::quick() }).unwrap();
    insta::assert_snapshot!(report.to_json().unwrap());
}

#[test]
fn reports_of_another_version_are_refused() {
    let json = evaluate(&sample(), &EvalOptions::quick()).unwrap().to_json().unwrap();
    assert!(json.starts_with("{\n  \"version\": 1,"), "{json}");
    for (version, advice) in [("2", "newer program"), ("0", "evaluate again")] {
        let other = json.replacen("\"version\": 1", &format!("\"version\": {version}"), 1);
        let error = EvalReport::from_json(&other).unwrap_err().to_string();
        assert!(error.contains(advice) && error.contains(&format!("version {version}")), "{error}");
    }
    // A later version need not look like this one at all.
    assert!(matches!(EvalReport::from_json("{\"version\":9}"), Err(EvalError::Version { .. })));
    assert!(matches!(EvalReport::from_json("{}"), Err(EvalError::Json(_))));
}

#[test]
fn rows_that_cannot_be_evaluated_are_named() {
    assert!(matches!(evaluate(&[], &EvalOptions::quick()), Err(EvalError::NoRows)));
    let bad = [
        [f32::NAN, 0.5, 0.5],
        [f32::INFINITY, 0.0, 0.0],
        [-0.5, 0.5, 1.0],
        [0.2, 0.2, 0.2],
        [2.0, -0.5, -0.5],
    ];
    for probs in bad {
        let mut rows = sample();
        rows[2].prediction = Prediction::new(probs);
        let error = evaluate(&rows, &EvalOptions::quick()).unwrap_err();
        assert!(matches!(error, EvalError::Probabilities { index: 2, .. }), "{error}");
        // Only an answer that is no number is a sign of training that went wrong.
        let nan = probs.iter().any(|p| p.is_nan());
        assert_eq!(error.to_string().contains("learning rate"), nan, "{error}");
    }
    for weight in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mut rows = sample();
        rows[1].weight = weight;
        let error = evaluate(&rows, &EvalOptions::quick()).unwrap_err();
        assert!(matches!(error, EvalError::Weight { index: 1, .. }), "{error}");
    }
}
