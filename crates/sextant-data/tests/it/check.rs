//! The check finds each kind of leak, and fails only for faults that spoil an evaluation.

use sextant_core::{Example, Grade, Split, Task};
use sextant_data::{CheckReport, Dataset, LoadedDataset, ReadOptions, check};
use std::collections::BTreeMap;

type Line<'a> = (Split, Task, &'a str, &'a str, usize, Option<&'a str>);

fn report(lines: &[Line<'_>]) -> CheckReport {
    let mut dataset = Dataset::default();
    for &(split, task, left, right, grade, group) in lines {
        let mut example = Example::new(task, left, right, Grade::from_index(grade).unwrap());
        example.group = group.map(str::to_owned);
        dataset.part_mut(split).push(example);
    }
    check(&dataset)
}

const SOUND: [Line<'_>; 4] = [
    (Split::Train, Task::QueryProduct, "drill", "Drill 18V", 2, Some("q1")),
    (Split::Train, Task::QueryProduct, "drill", "Red paint", 0, Some("q1")),
    (Split::Dev, Task::QueryProduct, "saw", "Hand saw", 2, Some("q2")),
    (Split::Test, Task::QueryProduct, "paint", "Red paint", 2, None),
];

#[test]
fn a_sound_dataset_passes() {
    let report = report(&SOUND);
    assert!(report.is_ok());
    let [task] = &report.tasks[..] else { panic!("{report:?}") };
    assert_eq!(
        task.grades,
        BTreeMap::from([
            (Split::Train, [1, 0, 1]),
            (Split::Dev, [0, 0, 1]),
            (Split::Test, [0, 0, 1]),
        ])
    );
    // The query `paint` does not occur in training, but the product does.
    assert_eq!(task.seen_in_train, Some([0.0, 1.0]));
    assert!(report.to_string().ends_with("ok: no pair and no group is in two splits\n"));
}

#[test]
fn a_pair_in_two_splits_fails() {
    let leak = (Split::Test, Task::QueryProduct, " DRILL", "drill  18v", 2, None);
    let report = report(&[&SOUND[..], &[leak]].concat());
    assert!(!report.is_ok());
    let [pair] = &report.repetitions.pairs_across_splits[..] else { panic!("{report:?}") };
    let rows: Vec<_> = pair.rows.iter().map(|row| (row.split, row.row)).collect();
    assert_eq!(rows, [(Split::Train, 1), (Split::Test, 2)]);
    assert!(report.repetitions.duplicates.is_empty());
    assert!(report.repetitions.contradictions.is_empty());
    let text = report.to_string();
    assert!(text.contains("`drill` ~ `drill 18v`: train row 1 = 2, test row 2 = 2"), "{text}");
    assert!(text.contains("failed: the splits leak"), "{text}");
}

#[test]
fn a_reversed_pair_leaks_only_where_the_task_is_symmetric() {
    for task in Task::ALL {
        let report = report(&[
            (Split::Train, task, "a", "b", 1, None),
            (Split::Dev, task, "b", "a", 1, None),
        ]);
        assert_eq!(report.is_ok(), !task.is_symmetric(), "{task}");
    }
    // The same texts in two tasks are two different pairs.
    let two_tasks = [
        (Split::Train, Task::QueryQuery, "a", "b", 1, None),
        (Split::Test, Task::TypeType, "a", "b", 1, None),
    ];
    assert!(report(&two_tasks).is_ok());
}

#[test]
fn a_group_in_two_splits_fails_even_across_tasks() {
    let leak = (Split::Test, Task::QueryType, "drill", "Drills", 2, Some("q1"));
    let report = report(&[&SOUND[..], &[leak]].concat());
    assert!(!report.is_ok());
    let [group] = &report.repetitions.groups_across_splits[..] else { panic!("{report:?}") };
    assert_eq!(group.group, "q1");
    assert_eq!(group.rows, BTreeMap::from([(Split::Train, 2), (Split::Test, 1)]));
    assert!(report.to_string().contains("`q1`: rows in train 2, test 1"));
}

#[test]
fn duplicates_and_contradictions_are_listed_but_pass() {
    let again = (Split::Train, Task::QueryProduct, "drill", "drill 18V", 2, Some("q1"));
    let otherwise = (Split::Dev, Task::QueryProduct, "saw", "hand saw", 0, Some("q2"));
    let report = report(&[&SOUND[..], &[again, otherwise]].concat());
    assert!(report.is_ok());
    let found = &report.repetitions;
    let lefts = |pairs: &[sextant_data::RepeatedPair]| {
        pairs.iter().map(|pair| pair.pair.left.clone()).collect::<Vec<_>>()
    };
    assert_eq!(lefts(&found.duplicates), ["drill", "saw"]);
    assert_eq!(lefts(&found.contradictions), ["saw"]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["contradictions"][0]["rows"][1]["grade"], 0);
}

/// Training refuses a row with a text in which the tokenizer finds nothing. The check reports such rows
/// before training.
#[test]
fn rows_with_nothing_to_read_fail_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.jsonl");
    let row = |left: &str, right: &str| {
        format!(r#"{{"task": "query-product", "left": "{left}", "right": {right}, "grade": 1}}"#)
    };
    let rows = [
        row("drill", r#""Drill""#),
        String::new(),
        row(r"\u200b", r#""Drill""#),
        row("saw", r#"{"title": "\u00ad \ufeff", "brand": "Acme"}"#),
        // A text with a visible character of any kind is accepted.
        row(r"\u2665", r#""\u0915\u200d""#),
    ];
    std::fs::write(&path, rows.join("\n")).unwrap();
    let loaded = LoadedDataset::load(folder.path(), &ReadOptions::default()).unwrap();
    let report = check(&loaded.dataset).with_origins(&loaded);
    assert!(!report.is_ok() && report.is_sound());
    let found: Vec<_> =
        report.textless.iter().map(|row| (row.place.origin.clone().unwrap(), row.left)).collect();
    let place = |line: usize| format!("{} line {line}", path.display());
    assert_eq!(found, [(place(3), true), (place(4), false)]);
    let text = report.to_string();
    let line = format!(r"{}: the left text of the query-product pair is `\u{{200b}}`", place(3));
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("failed: rows have nothing to read"), "{text}");
}

/// The overlap rule solves a task in which shared words decide the grade, and does not solve the other task.
#[test]
fn baselines_tell_easy_tasks_from_hard_ones() {
    let mut lines = Vec::new();
    let texts: Vec<_> = (0..40).map(|i| (format!("a{i} b{i}"), format!("c{i} d{i}"))).collect();
    for (i, (same, other)) in texts.iter().enumerate() {
        let split = if i < 20 { Split::Train } else { Split::Test };
        lines.push((split, Task::QueryQuery, same.as_str(), same.as_str(), 2, None));
        lines.push((split, Task::QueryQuery, same.as_str(), other.as_str(), 0, None));
        // In this task the grade does not follow from shared words.
        lines.push((split, Task::TypeType, same.as_str(), other.as_str(), i % 2, None));
    }
    let report = report(&lines);
    let [easy, hard] = [0, 1].map(|i| report.tasks[i].baselines.clone().unwrap());
    assert_eq!((easy.majority_accuracy, easy.overlap_accuracy), (0.5, 1.0));
    assert_eq!((hard.majority_accuracy, hard.overlap_accuracy), (0.5, 0.5));
    assert_eq!(report.pooled_majority_accuracy, Some(0.5));
    assert!((report.pooled_overlap_accuracy.unwrap() - 50.0 / 60.0).abs() < 1e-12);
    insta::assert_snapshot!(report.to_string());
}
