//! What a bundle says of the run whose best weights it holds.

use crate::checkpoint::TrainingState;
use crate::{Plan, Rows};
use sextant_core::{Decisions, Task};
use sextant_eval::{FittedDecision, ScoreHistogram, Scored, fit_decision};
use sextant_model::bundle::Particulars;
use std::collections::BTreeMap;

/// What the bundle of a run says: how it came to be, how its scores of the dev rows are spread, so that whoever
/// runs the model can see whether they still are, and the rules that decide its grades, if the recipe asks for
/// them.
pub(crate) fn particulars(
    plan: &Plan,
    state: &TrainingState,
    train: &Rows,
    dev: &[Scored<'_>],
) -> Particulars {
    let recipe = &plan.recipe;
    let mut scores: BTreeMap<&str, ScoreHistogram> = BTreeMap::new();
    for row in dev {
        scores.entry(row.task.as_str()).or_default().add(row.prediction.score());
    }
    let fitted = fit(plan, dev);
    let mut provenance = serde_json::json!({
        "recipe": recipe,
        "computation": plan.computation.to_json(),
        "fingerprint": state.fingerprint,
        "step": state.step,
        "dev": {"metric": recipe.dev.metric, "value": state.best.map(|(value, _)| value), "scores": scores},
        "train_rows": train.len(),
        "truncation": train.cut(),
    });
    if let Some(objective) = recipe.dev.decide {
        provenance["decisions"] = serde_json::json!({ "objective": objective, "fitted": fitted });
    }
    let helpful = fitted.iter().filter(|(_, fitted)| fitted.helps);
    let decisions: Decisions = helpful.map(|(&task, fitted)| (task, fitted.rule)).collect();
    Particulars { provenance, decisions }
}

fn fit(plan: &Plan, dev: &[Scored<'_>]) -> BTreeMap<Task, FittedDecision> {
    let Some(objective) = plan.recipe.dev.decide else { return BTreeMap::new() };
    let of_task = |&task: &Task| {
        let rows: Vec<_> = dev.iter().filter(|row| row.task == task).copied().collect();
        Some((task, fit_decision(&rows, &objective)?))
    };
    plan.spec.tasks.iter().filter_map(of_task).collect()
}
