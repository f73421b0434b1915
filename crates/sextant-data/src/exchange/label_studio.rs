//! Tasks of Label Studio and what annotators answered, as its JSON export has them.

use super::judgements::{cell, json};
use super::{ExchangeError, JudgementRow, Judgements};
use crate::RowUnit;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

#[derive(Debug, Deserialize)]
struct Task {
    #[serde(default)]
    id: Value,
    data: Map<String, Value>,
    #[serde(default)]
    annotations: Vec<Annotation>,
}

#[derive(Debug, Deserialize)]
struct Annotation {
    #[serde(default)]
    id: Value,
    /// The annotator: a number, or an object with an e-mail address.
    #[serde(default)]
    completed_by: Value,
    #[serde(default)]
    was_cancelled: bool,
    #[serde(default)]
    result: Vec<Answer>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    value: Map<String, Value>,
}

/// Columns before those of the tasks' data.
const COLUMNS: [&str; 4] = ["task_id", "annotation_id", "annotator", "label"];

pub(super) fn read(path: &Path) -> Result<Judgements, ExchangeError> {
    let tasks: Vec<Task> = json(path)?;
    let mut columns: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    for name in tasks.iter().flat_map(|task| task.data.keys()) {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    let mut rows = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        // Skipped tasks are no answers.
        for annotation in task.annotations.iter().filter(|annotation| !annotation.was_cancelled) {
            let mut cells = vec![
                cell(&task.id),
                cell(&annotation.id),
                annotator(annotation),
                label(annotation),
            ];
            let data = columns[COLUMNS.len()..].iter();
            cells.extend(data.map(|name| task.data.get(name).and_then(cell)));
            rows.push(JudgementRow { line: index as u64 + 1, cells });
        }
    }
    Ok(Judgements { columns, rows, unit: RowUnit::Row })
}

fn annotator(annotation: &Annotation) -> Option<String> {
    match &annotation.completed_by {
        Value::Object(person) => {
            ["email", "id", "username"].iter().find_map(|name| person.get(*name).and_then(cell))
        }
        other => cell(other),
    }
}

/// The first answer that is a choice, a number of stars or a number.
fn label(annotation: &Annotation) -> Option<String> {
    annotation.result.iter().find_map(|answer| {
        let value = |name: &str| answer.value.get(name);
        let choice = value("choices").and_then(|choices| choices.get(0)).and_then(cell);
        choice.or_else(|| value("rating").and_then(cell)).or_else(|| value("number").and_then(cell))
    })
}
