//! The gradients of one step's rows: what is between a batch and an optimizer step.
//!
//! A step is three functions, so that its packs can be run anywhere: [`plan_packs`] says which rows are in which
//! pack, [`run_pack`] runs one of them forward and backward, and a [`Reduction`] sums what they found in the
//! order of the plan. The same bits come out whoever ran which pack, and when.

use crate::packs::{StepPlan, SumBy, plan_packs};
use crate::reduction::{Reduced, Reduction};
use crate::run_pack::{StepPass, run_pack};
use crate::target::{StepOptions, Target, TaskLoss};
use crate::{Gradients, TrainError};
use sextant_core::Task;
use sextant_model::RelevanceModel;

/// What a step's rows gave.
#[derive(Debug, Default)]
pub struct StepGradients {
    /// The gradients of the loss, which is the sum of the rows' losses, each times its weight, divided
    /// by `weight`.
    pub gradients: Gradients,
    /// What each task's rows came to.
    pub task_losses: [TaskLoss; Task::COUNT],
    /// The divisor: the sum of the rows' weights unless the options state another.
    pub weight: f64,
    /// Tokens of all rows.
    pub tokens: usize,
}

impl StepGradients {
    /// The loss.
    pub fn loss(&self) -> f64 {
        self.task_losses.iter().map(|task| task.sum).sum::<f64>() / self.weight
    }
}

/// Runs the rows forward and backward, in as many packs as they fill.
///
/// # Errors
/// The model refuses a pack.
pub fn gradients(
    model: &RelevanceModel,
    batch: &[Target<'_>],
    options: StepOptions<'_>,
) -> Result<StepGradients, TrainError> {
    let plan = plan_packs(batch, &options, SumBy::Step);
    let Reduced { mut sums, task_losses, tokens } = run_in_order(model, batch, options, &plan)?;
    let gradients = sums.pop().unwrap_or_default();
    Ok(StepGradients { gradients, task_losses, weight: plan.divisor, tokens })
}

/// Runs every pack of a plan on this thread, one after another, so that one pack's activations are in memory
/// at a time.
pub(crate) fn run_in_order(
    model: &RelevanceModel,
    batch: &[Target<'_>],
    options: StepOptions<'_>,
    plan: &StepPlan,
) -> Result<Reduced, TrainError> {
    let pass = StepPass::new(model, batch, options, plan);
    let mut reduction = Reduction::new(plan);
    for (index, pack) in plan.packs.iter().enumerate() {
        let losses = run_pack(&pass, pack, |found| reduction.add(index, found))?;
        reduction.end_pack(index, losses);
    }
    Ok(reduction.finish())
}
