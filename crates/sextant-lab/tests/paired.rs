//! What the table of differences shows, with differences and without any.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use sextant_core::{Grade, Prediction, Task};
use sextant_eval::{Bootstrap, Scored};
use sextant_lab::PairedTable;

/// 40 rows of a task, of which `right` are right.
fn rows(task: Task, right: impl Fn(usize) -> bool) -> Vec<Scored<'static>> {
    let row = |i| {
        let probs = if right(i) { [0.8, 0.1, 0.1] } else { [0.1, 0.8, 0.1] };
        Scored::new(task, Grade::Irrelevant, Prediction::new(probs))
    };
    (0..40).map(row).collect()
}

fn table() -> PairedTable {
    let both = |query: fn(usize) -> bool, product: fn(usize) -> bool| {
        [rows(Task::QueryType, query), rows(Task::ProductType, product)].concat()
    };
    let reference = both(|i| i % 2 == 0, |i| i < 30);
    let mut table = PairedTable::new("the reference");
    // Where the two differ, the run is better on every row of one task and on some of the other's.
    let run = both(|i| i % 4 != 1, |i| (10..36).contains(&i));
    table.add("a | b", &reference, &run, &Bootstrap::default()).unwrap();
    table.add("the same", &reference, &reference, &Bootstrap::default()).unwrap();
    table
}

#[test]
fn markdown() {
    insta::assert_snapshot!(table().to_markdown());
}

#[test]
fn text() {
    let text = table().to_text();
    assert!(
        text.starts_with("Differences from the reference\n") && text.contains("a | b"),
        "{text}"
    );
    assert_eq!(PairedTable::new("alone").to_text(), "");
}
