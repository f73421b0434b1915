//! What a bundle says of the run whose best weights it holds.

use crate::checkpoint::TrainingState;
use crate::{BehaviourLoss, Plan, Rows};
use sextant_core::Decisions;
use sextant_eval::{ScoreHistogram, Scored, fit_decisions, helpful};
use sextant_model::bundle::Particulars;
use std::collections::BTreeMap;

/// What the bundle of a run says: how it came to be, how its scores of the dev rows are spread, so that whoever
/// runs the model can see whether they still are, the rates of events by which behaviour was learned, and the rules
/// that decide its grades, if the recipe asks for them.
pub(crate) fn particulars(
    plan: &Plan,
    state: &TrainingState,
    train: &Rows,
    behaviour: Option<&BehaviourLoss>,
    dev: &[Scored<'_>],
) -> Particulars {
    let recipe = &plan.recipe;
    let mut scores: BTreeMap<&str, ScoreHistogram> = BTreeMap::new();
    for row in dev {
        scores.entry(row.task.as_str()).or_default().add(row.prediction.score());
    }
    let mut provenance = serde_json::json!({
        "recipe": recipe,
        "computation": plan.computation.to_json(),
        "fingerprint": state.fingerprint,
        "step": state.step,
        "dev": {"metric": recipe.dev.metric, "value": state.best.map(|(value, _)| value), "scores": scores},
        "train_rows": train.len(),
        "truncation": train.cut(),
    });
    if let Some(behaviour) = behaviour {
        provenance["event_rates"] = behaviour.to_json(&plan.spec.tasks);
    }
    let mut decisions = Decisions::new();
    if let Some(objective) = recipe.dev.decide {
        let fitted = fit_decisions(dev, &objective);
        decisions = helpful(&fitted);
        provenance["decisions"] = serde_json::json!({ "objective": objective, "fitted": fitted });
    }
    Particulars { provenance, decisions }
}
