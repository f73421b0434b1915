//! Arrow record batches are scored as files are.

use crate::support::WorkFolder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use serde_json::Value;
use sextant_core::Task;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use sextant_score::{EncodedBatch, added_fields, score_batch, scored_schema};
use std::sync::Arc;

fn batch(lefts: Vec<&str>, rights: Vec<&str>) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..lefts.len() as i32));
    RecordBatch::try_from_iter([
        ("left", Arc::new(StringArray::from(lefts)) as ArrayRef),
        ("weight", numbers),
        ("right", Arc::new(StringArray::from(rights)) as ArrayRef),
    ])
    .unwrap()
}

#[test]
fn a_batch_gets_the_scores_that_a_file_gets() {
    let place = WorkFolder::with_bundle();
    let bundle = place.path("runs/tiny/bundle");
    let scorer = Scorer::open(&bundle, &Device::cpu(), ScorePrecision::F32).unwrap();
    let (lefts, rights) = (vec!["red sofa", "lamp", "drill"], vec!["Sofas", "Sofas", "Drills"]);
    let rows = batch(lefts, rights);
    let task = Some(Task::QueryType);
    let scored = score_batch(&scorer, rows.clone(), task).unwrap();
    assert_eq!(*scored.schema(), scored_schema(&rows.schema()));
    assert_eq!(scored.columns()[..3], rows.columns()[..]);

    place.write("in.csv", "left,weight,right\nred sofa,0,Sofas\nlamp,1,Sofas\ndrill,2,Drills\n");
    let options = ["--task", "query-type"];
    place.ok(&[&["score", "runs/tiny/bundle", "in.csv", "out.jsonl"], &options[..]].concat());
    for (row, line) in place.read("out.jsonl").lines().enumerate() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let grade = scored["predicted_grade"].as_primitive::<Int64Type>().value(row);
        let score = scored["score"].as_primitive::<Float64Type>().value(row);
        let label = scored["predicted_label"].as_string::<i32>().value(row);
        let probs = scored["probs"].as_list::<i32>().value(row);
        let probs: Vec<f64> = probs.as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(expected["predicted_grade"], grade);
        assert_eq!(expected["predicted_label"], label);
        assert_eq!(expected["score"], score);
        assert_eq!(expected["probs"], Value::from(probs));
    }
    // Scored once more, the columns are replaced and stay where they are.
    assert_eq!(score_batch(&scorer, scored.clone(), task).unwrap(), scored);
    assert_eq!(added_fields().len(), 4);
    let none = score_batch(&scorer, rows.slice(0, 0), task).unwrap();
    assert_eq!((none.num_rows(), none.num_columns()), (0, 7));
}

#[test]
fn bad_rows_of_a_batch_are_named_or_left_out() {
    let place = WorkFolder::with_bundle();
    let bundle = place.path("runs/tiny/bundle");
    let scorer = Scorer::open(&bundle, &Device::cpu(), ScorePrecision::F32).unwrap();
    let rows = batch(vec!["sofa", " ", "lamp"], vec!["Sofas", "Sofas", "Lamps"]);
    let task = Some(Task::QueryType);
    let error = score_batch(&scorer, rows.clone(), task).unwrap_err().to_string();
    assert!(
        error.starts_with("row 1 (counted from 0): column `left`: the text is empty"),
        "{error}"
    );
    let error = score_batch(&scorer, rows.clone(), None).unwrap_err().to_string();
    assert!(error.starts_with("row 0 (counted from 0): column `task`: no value"), "{error}");

    let encoded = EncodedBatch::new(&scorer, rows, task, None).unwrap();
    assert_eq!((encoded.len(), encoded.bad.len(), encoded.bad[0].row), (2, 1, 1));
    assert_eq!((encoded.original_row(0), encoded.original_row(1)), (0, 2));
    let (good, tokens) = encoded.into_parts();
    assert_eq!((good.num_rows(), tokens.len()), (2, 2));
    assert_eq!(good["left"].as_string::<i32>().value(1), "lamp");
}

#[test]
fn a_row_without_a_number_for_an_answer_is_named_by_file_and_line() {
    let place = WorkFolder::with_bundle();
    place.overflow("runs/tiny/bundle", "branches.query-type.layers.0.output_norm.gamma");
    let rows = "task,left,right\n\
                type-type,Sofas,Lamps\n\
                query-type, ,Sofas\n\
                type-type,Sofas,Beds\n\
                query-type,sofa,Sofas\n";
    place.write("in.csv", rows);
    // A broken model is no bad row: it is an error with --skip-bad too.
    let error = place.fails(&["score", "runs/tiny/bundle", "in.csv", "out.csv", "--skip-bad"]);
    assert!(error.contains("in.csv line 5: ") && error.contains("no number"), "{error}");
    assert!(!place.path("out.csv").exists());
}
