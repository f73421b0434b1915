//! What tables and reports look like.

mod common;

use common::comparison;
use sextant_eval::Metric;
use sextant_files::{AtomicFile, Existing};
use sextant_lab::{Comparison, Report};

#[test]
fn markdown() {
    insta::assert_snapshot!(comparison().table(Metric::Accuracy).to_markdown());
}

#[test]
fn text() {
    insta::assert_snapshot!(comparison().table(Metric::Accuracy).to_text());
}

#[test]
fn text_of_an_error() {
    insta::assert_snapshot!(comparison().table(Metric::Mae).to_text());
}

#[test]
fn text_of_facts() {
    insta::assert_snapshot!(comparison().table(Metric::Accuracy).facts_to_text());
    assert_eq!(Comparison::new().table(Metric::Accuracy).facts_to_text(), "");
}

#[test]
fn csv() {
    let csv = comparison().table(Metric::Accuracy).to_csv().unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), 3 + 7 * 3 + 7);
    assert_eq!(reader.records().map(Result::unwrap).count(), 4);
    insta::assert_snapshot!(csv);
}

#[test]
fn json() {
    let json = comparison().table(Metric::Accuracy).to_json().unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["columns"][6]["slice"], "pooled");
    assert_eq!(value["rows"][1]["cells"][0]["value"], 0.75);
    assert_eq!(value["rows"][1]["cells"][0]["best"], true);
    assert!(value["rows"][3]["cells"][0].is_null());
    let first: serde_json::Value = serde_json::json!([value["rows"][0], value["rows"][1]["facts"]]);
    insta::assert_json_snapshot!(first);
}

fn report() -> Report {
    Report {
        title: "Three routings of a small encoder".into(),
        introduction: "Trained from scratch on the synthetic market.".into(),
        command: Some("cargo run --release -- demo".into()),
        metrics: vec![Metric::Accuracy, Metric::QuadraticKappa],
        notes: vec!["One seed: differences within the intervals mean nothing.".into()],
        ..Report::default()
    }
}

#[test]
fn report_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.md");
    std::fs::write(&path, "old").unwrap();
    let file = AtomicFile::create(&path, Existing::Overwrite).unwrap();
    report().write(&comparison(), file).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, report().to_markdown(&comparison()));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary file stays");
    insta::assert_snapshot!(text);
}

#[test]
fn report_without_runs_has_no_empty_table() {
    let text = report().to_markdown(&Comparison::new());
    assert!(!text.contains("## Runs") && text.contains("## Make it again"), "{text}");
}
