//! Computes the gradients of one step's rows, by which the optimizer then updates the model.
//!
//! A step consists of three functions, so that its packs can be run on any thread: [`plan_packs`] decides
//! which rows are in which pack, [`run_pack`] runs one of the packs forward and backward, and a
//! [`Reduction`] sums the results in the order of the plan. The sums are the same, bit for bit, whichever
//! thread ran which pack, and when.

use crate::packs::{StepPlan, SumBy, plan_packs};
use crate::reduction::{Reduced, Reduction};
use crate::run_pack::{StepPass, run_pack};
use crate::spread::{Exchange, Running, Spread, SpreadParameters, SpreadSums, rounds};
use crate::target::{StepOptions, Target, TaskLoss};
use crate::{Gradients, ReductionOrder, TrainError};
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
    spread_gradients(model, batch, options, Spread::ALONE)
}

/// [`gradients`], of packs that several ranks may run.
pub(crate) fn spread_gradients(
    model: &RelevanceModel,
    batch: &[Target<'_>],
    options: StepOptions<'_>,
    spread: Spread<'_>,
) -> Result<StepGradients, TrainError> {
    let plan = plan_packs(batch, &options, SumBy::Step);
    let Reduced { mut sums, task_losses, tokens } =
        run_packs(model, batch, options, &plan, spread)?;
    let gradients = sums.pop().unwrap_or_default();
    Ok(StepGradients { gradients, task_losses, weight: plan.divisor, tokens })
}

/// Runs those packs of a plan that are this rank's, one after another, so that the activations of only one
/// pack are in memory at a time, and returns the sums over the packs of all ranks.
pub(crate) fn run_packs(
    model: &RelevanceModel,
    batch: &[Target<'_>],
    options: StepOptions<'_>,
    plan: &StepPlan,
    spread: Spread<'_>,
) -> Result<Reduced, TrainError> {
    let (rank, ranks) = (spread.reducer.rank(), spread.reducer.ranks());
    let of_pack = |rows: &[usize]| rows.iter().map(|&row| batch[row].row.len()).sum();
    let tokens: Vec<usize> = plan.packs.iter().map(|pack| of_pack(&pack.rows)).collect();
    let rounds = rounds(&tokens, ranks, spread.order);
    let mine = rounds.iter().map(|round| round[rank].len()).sum();
    let pass = StepPass::of_packs(model, batch, options, plan, mine);
    if ranks == 1 {
        let mut sums = Reduction::new(plan);
        for &pack in rounds.iter().flatten().flatten() {
            let losses = run_pack(&pass, &plan.packs[pack], |found| sums.add(pack, found))?;
            sums.end_pack(pack, losses);
        }
        return Ok(sums.finish());
    }
    let pass = pass.by_blocks(spread.order == ReductionOrder::Ring);
    let parameters = SpreadParameters::of(model, options.layers);
    // Whoever computes waits when a round of packs is found before the stages of the one before were exchanged, so
    // that gradients of one round at most are held besides.
    let (turns, taken) = std::sync::mpsc::sync_channel(parameters.stages());
    let exchange = Exchange::new(plan, &parameters, model.device().inner(), taken, spread);
    let mut sums = SpreadSums::new(plan, &parameters, pass.is_by_blocks(), turns, spread);
    std::thread::scope(|scope| {
        let exchanged = scope.spawn(|| exchange.run());
        let mut ran = Ok(());
        for (number, round) in (1..).zip(&rounds) {
            let (packs, last_round) = (&round[rank], number == rounds.len());
            ran = packs.iter().try_for_each(|&pack| {
                let last = packs.last() == Some(&pack);
                sums.begin_pack(Running { pack, last, last_round, parts: 0 });
                let losses = run_pack(&pass, &plan.packs[pack], |found| sums.add(found))?;
                sums.end_pack(losses);
                Ok(())
            });
            if !sums.end_round(&ran, last_round) {
                break;
            }
        }
        drop(sums); // there is nothing more to exchange
        let exchanged = spread.waited.time(|| exchanged.join());
        let exchanged = exchanged.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // This rank's own error says more than that a rank has failed.
        ran.and(exchanged)
    })
}
