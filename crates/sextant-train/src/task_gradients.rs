//! The gradients of a step's tasks, each apart.

use crate::packs::{SumBy, plan_packs};
use crate::reduction::Reduced;
use crate::spread::Spread;
use crate::step::run_packs;
use crate::target::StepOptions;
use crate::weighting::weigh;
use crate::{Target, TaskAffinity, TrainError};
use sextant_core::Task;
use sextant_model::RelevanceModel;

/// Notes how far the gradients of a step's tasks agree. `rate` is the step's learning rate.
///
/// # Errors
/// The model refuses a pack.
pub(crate) fn look(
    affinity: &mut TaskAffinity,
    model: &RelevanceModel,
    batch: &[Target<'_>],
    options: StepOptions<'_>,
    rate: f64,
) -> Result<(), TrainError> {
    let mut batch = batch.to_vec();
    weigh(&mut batch, &[1.0; Task::COUNT]);
    // The rows are few, and the same on all ranks: each computes all of them.
    let (reduced, products) = of_tasks(model, &batch, options, Spread::ALONE)?;
    let found = Task::ALL
        .into_iter()
        .filter_map(|task| Some((task, reduced.task_losses[task.index()].mean()?)));
    let (tasks, losses): (Vec<Task>, Vec<f64>) = found.unzip();
    affinity.add(&tasks, &products, &losses, rate);
    Ok(())
}

/// The gradient of each task that has rows, and the dot products of these gradients over the parameters that more than
/// one of them reaches. The rows must be weighed so that the weights of each task's rows sum to 1.
pub(crate) fn of_tasks(
    model: &RelevanceModel,
    batch: &[Target<'_>],
    options: StepOptions<'_>,
    spread: Spread<'_>,
) -> Result<(Reduced, Vec<Vec<f64>>), TrainError> {
    // With a divisor of 1 a task's gradient is that of its mean loss.
    let options = StepOptions { divisor: Some(1.0), ..options };
    let plan = plan_packs(batch, &options, SumBy::Task);
    let reduced = run_packs(model, batch, options, &plan, spread)?;
    let sums = &reduced.sums;
    let products =
        sums.iter().map(|one| sums.iter().map(|other| one.dot_shared(other, sums)).collect());
    let products = products.collect();
    Ok((reduced, products))
}
