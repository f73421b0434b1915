//! The metric that chooses the best weights.

use crate::{Recipe, TrainError};
use sextant_eval::{EvalOptions, EvalReport, Metric, Scored, evaluate, undefined_on};

/// Refuses a metric that the dev rows leave undefined, before any training. The predictions in `rows`
/// play no part.
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

/// Everything measured on the dev rows, and the metric's mean over tasks.
///
/// # Errors
/// A metric without a value, of which nothing could be said to be better or worse. [`check`] refuses what
/// can make it so before training; no number stands for it.
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

/// Whether a value is better than the best so far, if there is one.
pub(crate) fn is_better(metric: Metric, value: f64, best: Option<f64>) -> bool {
    best.is_none_or(|best| if metric.higher_is_better() { value > best } else { value < best })
}
