//! Ranking measures against ir-measures, ranx and pytrec-eval. The goldens are written by
//! `scripts/goldens/ranking.py`.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde::Deserialize;
use sextant_eval::{Bootstrap, RankingMeasure, evaluate_run};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Case {
    name: String,
    qrels: BTreeMap<String, BTreeMap<String, i64>>,
    run: BTreeMap<String, BTreeMap<String, f64>>,
    /// By program and measure, the value of each query.
    expected: BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("goldens/ranking.json")).unwrap()
}

#[test]
fn three_programs_give_the_same_numbers() {
    let mut compared = BTreeMap::new();
    for case in cases() {
        for (program, measures) in &case.expected {
            for (name, values) in measures {
                let measure: RankingMeasure = name.parse().unwrap();
                let bootstrap = Bootstrap { replicates: 10, ..Bootstrap::default() };
                let found = evaluate_run(&case.qrels, &case.run, &[measure], &bootstrap).unwrap();
                for (query, expected) in values {
                    let value = found.by_query[query][0];
                    assert!(
                        (value - expected).abs() < 1e-9,
                        "{}: {name} of query {query}: {value}, and {expected} by {program}",
                        case.name
                    );
                    *compared.entry(program.clone()).or_insert(0) += 1;
                }
            }
        }
    }
    let programs: Vec<_> = compared.keys().map(String::as_str).collect();
    assert_eq!(programs, ["ir-measures", "pytrec-eval", "ranx"]);
    assert!(compared.values().all(|&count| count >= 150), "{compared:?}");
}

#[test]
fn a_judged_query_without_a_run_counts_as_zero() {
    for case in cases() {
        let measures = RankingMeasure::usual();
        let report =
            evaluate_run(&case.qrels, &case.run, &measures, &Bootstrap::default()).unwrap();
        assert_eq!((report.queries, report.unanswered, report.unjudged), (case.qrels.len(), 1, 1));
        let ndcg: f64 = report.by_query.values().map(|values| values[0]).sum();
        let mean = report.measures[0].mean;
        assert!((mean.value - ndcg / report.queries as f64).abs() < 1e-12);
        let interval = mean.interval.unwrap();
        assert!(interval.low < mean.value && mean.value < interval.high);
        assert!(report.to_string().contains("1 of them not in the run and counted as 0"));
    }
}

#[test]
fn nothing_judged_is_an_error() {
    let none = evaluate_run(
        &BTreeMap::new(),
        &BTreeMap::new(),
        &RankingMeasure::usual(),
        &Bootstrap::default(),
    );
    assert!(none.unwrap_err().to_string().contains("no rows"));
}

#[test]
fn a_grade_above_the_highest_of_a_measure_is_refused() {
    let of = |pairs: &[(&str, i64)]| {
        let judged = pairs.iter().map(|(document, grade)| ((*document).to_owned(), *grade));
        BTreeMap::from([("q".to_owned(), judged.collect::<BTreeMap<_, _>>())])
    };
    let run = BTreeMap::from([("q".to_owned(), BTreeMap::from([("a".to_owned(), 1.0)]))]);
    // Also where the run does not have the document: the scale is not what the measure says.
    let qrels = of(&[("a", 2), ("b", 5)]);
    let value = |measure: &str| {
        let bootstrap = Bootstrap { replicates: 10, ..Bootstrap::default() };
        let found = evaluate_run(&qrels, &run, &[measure.parse().unwrap()], &bootstrap);
        found.map(|found| found.by_query["q"][0])
    };
    let error = value("ERR@20").unwrap_err().to_string();
    assert_eq!(
        error,
        "query `q`, document `b`: grade 5 is above 4, the highest grade of ERR@20; state that of the scale, as in ERR(max=5)@20"
    );
    assert_eq!(value("ERR(max=5)@20").unwrap(), 3.0 / 32.0);
    assert!(value("nDCG@10").is_ok());
    let err: RankingMeasure = "ERR@20".parse().unwrap();
    assert_eq!((err.up_to(3), err.up_to(31)), (Some(err), None));
}
