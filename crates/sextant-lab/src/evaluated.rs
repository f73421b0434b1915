//! Evaluating a model on labelled rows.

use crate::LabError;
use sextant_core::{Example, Prediction, Split, Task};
use sextant_data::{LabelledRows, LoadedDataset, ReadOptions};
use sextant_eval::{Dataset, EvalOptions, EvalReport, Scored, evaluate};
use sextant_infer::Scorer;
use std::ops::ControlFlow;
use std::path::Path;

/// Reads the labelled rows of a part of a data set: of a folder, or of a file whose rows state their split; the
/// test rows unless another part is named. A file without splits is taken as a whole.
///
/// # Errors
/// The rows cannot be read; some rows have a split and others have none; there are no rows of that part.
pub fn labelled_rows(
    path: &Path,
    split: Option<Split>,
    options: &ReadOptions,
) -> Result<LabelledRows, LabError> {
    let part = split.unwrap_or(Split::Test);
    let mut rows;
    if path.is_dir() {
        rows = LoadedDataset::load(path, options)?.into_part(part);
    } else {
        rows = LabelledRows::read(path, options)?;
        if rows.examples().iter().any(|example| example.split.is_some()) {
            if let Some(row) = rows.examples().iter().position(|row| row.split.is_none()) {
                return Err(LabError::Compare(format!(
                    "{}: the row says no split, but others do; give every row one",
                    rows.origin(row)
                )));
            }
            rows.retain(|example| example.split == Some(part));
        } else if split.is_some() {
            return Err(LabError::unusable(path, "no row says its split; leave `--split` out"));
        }
    }
    if rows.examples().is_empty() {
        let problem =
            format!("there are no {part} rows; name another part: `--split`, in Python `split=`");
        return Err(LabError::unusable(path, problem));
    }
    Ok(rows)
}

/// Leaves only rows of the tasks that a model knows, and returns how many were left out. `path` is where the rows
/// come from.
///
/// # Errors
/// No row is left.
pub fn retain_tasks(
    rows: &mut LabelledRows,
    tasks: &[Task],
    path: &Path,
) -> Result<usize, LabError> {
    let all = rows.examples().len();
    rows.retain(|example| tasks.contains(&example.pair.task));
    match rows.examples().len() {
        0 => Err(LabError::unusable(path, "no rows of the tasks that the model knows")),
        left => Ok(all - left),
    }
}

/// Predicts labelled rows and evaluates the predictions with all metrics. `name` is what the report calls the
/// rows. `observer` is as in [`predict_labelled`].
///
/// # Errors
/// Those of [`predict_labelled`].
pub fn evaluate_rows(
    scorer: &Scorer,
    rows: &LabelledRows,
    name: &str,
    observer: impl FnMut(usize) -> ControlFlow<()> + Send,
) -> Result<EvalReport, LabError> {
    full_report(&scored(rows.examples(), predict_labelled(scorer, rows, observer)?), name)
}

/// Predicts labelled rows. `observer` is called as by [`Scorer::answer`], and may break.
///
/// # Errors
/// A row that cannot be answered, by its place; [`ModelError::Stopped`](sextant_model::ModelError::Stopped) if
/// `observer` breaks.
pub fn predict_labelled(
    scorer: &Scorer,
    rows: &LabelledRows,
    observer: impl FnMut(usize) -> ControlFlow<()> + Send,
) -> Result<Vec<Prediction>, LabError> {
    let pairs: Vec<_> = rows.examples().iter().map(|example| example.pair.clone()).collect();
    scorer
        .predict_while(&pairs, observer)
        .map_err(|error| LabError::at_row(error, None, |row| rows.origin(row), &pairs))
}

/// Examples beside what was predicted for them.
pub fn scored(examples: &[Example], predictions: Vec<Prediction>) -> Vec<Scored<'_>> {
    let pairs = examples.iter().zip(predictions);
    pairs.map(|(example, prediction)| Scored::of(example, prediction)).collect()
}

/// The report on scored rows, with all metrics. `name` is what it calls the rows.
///
/// # Errors
/// There are no rows, or a prediction is not made of probabilities.
pub fn full_report(rows: &[Scored<'_>], name: &str) -> Result<EvalReport, LabError> {
    let dataset = Some(Dataset { name: name.to_owned(), sha256: None });
    Ok(evaluate(rows, &EvalOptions { dataset, ..EvalOptions::full() })?)
}
