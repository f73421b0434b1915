//! Computes the gradients of one step's rows, by which the optimizer then updates the model.
//!
//! A step consists of three functions, so that its packs can be run on any thread: [`plan_packs`] decides
//! which rows are in which pack, [`run_pack`] runs one of the packs forward and backward, and a
//! [`Reduction`] sums the results in the order of the plan. The sums are the same, bit for bit, whichever
//! thread ran which pack, and when.

use crate::packs::{StepPlan, SumBy, plan_packs};
use crate::reduction::{Reduced, Reduction};
use crate::run_pack::{StepPass, run_pack};
use crate::target::{StepOptions, Target, TaskLoss};
use crate::{Gradients, TrainError};
use sextant_core::Task;
use sextant_model::RelevanceModel;

/// The gradients and losses of a step's rows.
#[derive(Debug, Default)]
pub struct StepGradients {
    /// The gradients of the loss, which is the sum of the rows' losses, each times its weight, divided
    /// by `weight`.
    pub gradients: Gradients,
    /// The losses of each task's rows.
    pub task_losses: [TaskLoss; Task::COUNT],
    /// The divisor: the sum of the rows' weights unless the options state another.
    pub weight: f64,
    /// Tokens of all rows.
    pub tokens: usize,
}

impl StepGradients {
    /// The loss of the step.
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

/// Runs every pack of a plan on this thread, one after another, so that the activations of only one pack are
/// in memory at a time.
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
