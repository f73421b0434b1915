//! Tasks of Label Studio and what annotators answered, as its JSON export has them.

use super::judgements::{cell, json};
use super::{ExchangeError, JudgementRow, Judgements};
use crate::{DataError, RowUnit};
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
    /// The control that it was given by.
    #[serde(default)]
    from_name: String,
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
            let label = label(annotation).map_err(|problem| {
                let place = format!("task {}, annotation {}", index + 1, annotation.id);
                DataError::unusable(path, format!("{place}: {problem}"))
            })?;
            let mut cells =
                vec![cell(&task.id), cell(&annotation.id), annotator(annotation), label];
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

/// The control whose answers are labels, where there are several.
const CONTROL: &str = "grade";

/// The answer of the control `grade`, or of the only one whose answers are choices, stars or numbers.
///
/// # Errors
/// There are several such controls, none of which is called so, or several answers.
fn label(annotation: &Annotation) -> Result<Option<String>, String> {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    for Answer { from_name, value } in &annotation.result {
        let single = ["rating", "number"].iter().find_map(|name| value.get(*name));
        let chosen = value.get("choices").and_then(Value::as_array);
        let values = chosen
            .map_or_else(|| single.into_iter().collect(), |list| list.iter().collect::<Vec<_>>());
        let values: Vec<String> = values.into_iter().filter_map(cell).collect();
        if !values.is_empty() {
            found.push((from_name, values));
        }
    }
    if found.iter().any(|(control, _)| *control == CONTROL) {
        found.retain(|(control, _)| *control == CONTROL);
    }
    match &mut found[..] {
        [] => Ok(None),
        [(_, values)] if values.len() == 1 => Ok(values.pop()),
        several => {
            let answers = several
                .iter()
                .map(|(control, values)| format!("`{control}`: {}", values.join(", ")));
            let answers: Vec<String> = answers.collect();
            Err(format!(
                "it has several answers ({}), and one is the label; call the control with the label `{CONTROL}`, and allow one choice",
                answers.join("; ")
            ))
        }
    }
}
