//! What the behaviour of the rows of a run says.

use crate::{BehaviourLoss, BehaviourRecipe, Rows, TargetOfBehaviour, TrainError};
use sextant_core::{Behaviour, Task};

/// Sets what the behaviour of each training row says. `behaviours` are those of the rows; from row `graded` on, only
/// behaviour counts.
///
/// # Errors
/// The rates of the grades are not known; or a row has nothing but a behaviour, and that says nothing.
pub(crate) fn observed(
    rows: &mut Rows,
    behaviours: &[Option<Box<Behaviour>>],
    graded: usize,
    recipe: &BehaviourRecipe,
    tasks: &[Task],
) -> Result<BehaviourLoss, TrainError> {
    let seen = behaviours[..graded].iter().enumerate().filter_map(|(row, behaviour)| {
        let behaviour = behaviour.as_deref()?;
        rows.is_graded(row).then(|| (rows.view(row).task, rows.target(row).0, behaviour))
    });
    let loss = BehaviourLoss::new(recipe, tasks, seen)?;
    let usable = |target: &TargetOfBehaviour| {
        let rates = target.rates.iter().zip(loss.events);
        rates.into_iter().any(|(rate, weight)| rate.is_some() && weight > 0.0)
    };
    let mut targets = Vec::with_capacity(behaviours.len());
    for (row, behaviour) in behaviours.iter().enumerate() {
        let task = rows.view(row).task;
        let alone = row >= graded;
        let share = |strength| if alone { 1.0 } else { strength * recipe.share(task) };
        let target = behaviour.as_deref().and_then(|found| recipe.target(found, share));
        let target = target.filter(usable);
        if alone && target.is_none() {
            return Err(TrainError::Plan(vec![format!(
                "behaviour.rows: {} has no `impressions` above 0 with counts of an event that is learned, so that nothing can be learned from it; leave it out",
                rows.origin(row)
            )]));
        }
        targets.push(target);
    }
    rows.set_behaviour(targets);
    for (row, behaviour) in behaviours.iter().enumerate().skip(graded) {
        if let Some(behaviour) = behaviour {
            rows.scale(row, recipe.strength(behaviour.impressions()));
        }
    }
    Ok(loss)
}
