//! The metric that chooses the best weights.

use crate::{Recipe, Rows, TrainError};
use sextant_eval::{EvalOptions, EvalReport, Metric, Scored, evaluate, undefined_on};
use sextant_model::ModelError;

/// Refuses, before any training, a recipe whose dev metric is undefined on the dev rows. The predictions in
/// `rows` do not matter for this.
pub(crate) fn check(recipe: &Recipe, rows: &[Scored<'_>]) -> Result<(), TrainError> {
    let metric = recipe.dev.metric;
    let Some(why) = undefined_on(metric, rows) else { return Ok(()) };
    let defined: Vec<&str> = Metric::ALL
        .into_iter()
        .filter(|&other| undefined_on(other, rows).is_none())
        .map(Metric::as_str)
        .collect();
    Err(TrainError::Plan(vec![format!(
        "dev.metric = {metric}: is undefined on the {} dev rows, so that no weights could be chosen by it: {why}; choose one that is defined: {}",
        rows.len(),
        defined.join(", ")
    )]))
}

/// Evaluates answered dev rows. Returns the report, and the mean of `metric` over tasks.
///
/// # Errors
/// The metric has no value on these rows, so that it cannot say which weights are better. [`check`] refuses
/// such rows before training.
pub(crate) fn look(metric: Metric, rows: &[Scored<'_>]) -> Result<(EvalReport, f64), TrainError> {
    let ranking = metric == Metric::NdcgAt10;
    let report = evaluate(rows, &EvalOptions { ranking, ..EvalOptions::quick() })?;
    match report.macro_value(metric) {
        Some(value) => Ok((report, value)),
        None => Err(TrainError::Plan(vec![format!(
            "dev.metric = {metric}: has no value on the {} dev rows; choose another, such as log_loss",
            rows.len()
        )])),
    }
}

/// Whether a value of the metric is better than the best one so far. Any value is better than none.
pub(crate) fn is_better(metric: Metric, value: f64, best: Option<f64>) -> bool {
    best.is_none_or(|best| if metric.higher_is_better() { value > best } else { value < best })
}

/// The error of a look at the dev set after a step. An answer that is not finite shows that the weights have diverged
/// since the last look.
pub(crate) fn failed_look(error: ModelError, step: u64, dev: &Rows) -> TrainError {
    match error {
        ModelError::NonFinite { row, fault } => {
            TrainError::DivergedAtDev { step, row: dev.origin(row), fault }
        }
        other => other.into(),
    }
}
