//! Which runs may stand side by side, and what their table holds.

mod common;

use common::{comparison, facts, report, run};
use sextant_core::Task;
use sextant_eval::Metric;
use sextant_lab::{Baseline, LabError, Run, RunFacts, Slice};

#[test]
fn cells_hold_the_reports_numbers() {
    let table = comparison().table(Metric::Accuracy);
    let names: Vec<_> = table.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["majority", "text prefix", "multi-head | no prefix", "query-type alone"]);
    let rows: Vec<_> = table.columns.iter().map(|column| column.rows).collect();
    assert_eq!(rows, [8, 8, 8, 8, 8, 8, 48]);
    assert_eq!(table.columns[6].slice, Slice::Pooled);
    let values = |row: usize| -> Vec<_> {
        table.rows[row].cells.iter().map(|cell| cell.map(|cell| cell.estimate.value)).collect()
    };
    let right = [6, 5, 4, 4, 5, 3].map(|right| Some(f64::from(right) / 8.0));
    assert_eq!(values(1)[..6], right);
    assert_eq!(values(1)[6], Some(27.0 / 48.0));
    // The model of one task has no pooled value: its rows are not the others' rows.
    assert_eq!(values(3), [None, Some(1.0), None, None, None, None, None]);
}

#[test]
fn the_best_of_each_column_is_marked_ties_all() {
    let best = |metric| -> Vec<Vec<bool>> {
        let table = comparison().table(metric);
        let marks =
            |row: &sextant_lab::Row| row.cells.iter().map(|c| c.is_some_and(|c| c.best)).collect();
        table.rows.iter().map(marks).collect()
    };
    assert_eq!(
        best(Metric::Accuracy),
        [
            [false, false, false, false, false, true, false],
            [true, false, true, true, true, true, true],
            [true, false, true, false, true, false, false],
            [false, true, false, false, false, false, false],
        ]
    );
    // No baseline here, and the lowest error is the best.
    let mae = best(Metric::Mae);
    assert_eq!(mae.len(), 3);
    assert!(mae[2][1]);
    assert_eq!((mae[0][3], mae[1][3]), (true, false));
}

#[test]
fn runs_on_other_rows_are_refused() {
    let mut comparison = comparison();
    let error = comparison.add_run(run("text prefix", [1; 6])).unwrap_err().to_string();
    assert!(error.contains("`text prefix`"), "{error}");
    let baseline = Baseline { name: "majority".into(), accuracy: [].into(), pooled: None };
    assert!(matches!(comparison.add_baseline(baseline), Err(LabError::SameName { .. })));

    let on = |dataset: &str| report(&[(Task::QueryType, 3)], dataset);
    let new = |report| Run { name: "new".into(), report, facts: facts() };
    let error = comparison.add_run(new(on("other rows"))).unwrap_err().to_string();
    assert!(error.contains("`tiny test rows`") && error.contains("`other rows`"), "{error}");

    let mut fewer = on("tiny test rows");
    fewer.tasks.get_mut(&Task::QueryType).unwrap().rows = 7;
    let error = comparison.add_run(new(fewer)).unwrap_err().to_string();
    assert!(error.contains("8 rows of query-type, `new` on 7"), "{error}");

    let mut narrow = on("tiny test rows");
    narrow.bootstrap.as_mut().unwrap().level = 0.9;
    let error = comparison.add_run(new(narrow)).unwrap_err().to_string();
    assert!(error.contains("95 %") && error.contains("90 %"), "{error}");

    assert_eq!(comparison.runs().len(), 3, "nothing refused was added");
    comparison.add_run(new(on("tiny test rows"))).unwrap();
}

#[test]
fn facts_round_trip_and_refuse_unknown_keys() {
    let json = serde_json::to_string(&facts()).unwrap();
    assert_eq!(serde_json::from_str::<RunFacts>(&json).unwrap(), facts());
    assert_eq!(serde_json::to_string(&RunFacts::default()).unwrap(), "{}");
    assert!(serde_json::from_str::<RunFacts>(r#"{"speed": 3}"#).is_err());
}
