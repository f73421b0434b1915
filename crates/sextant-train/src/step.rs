//! Computes the gradients of one step's rows, by which the optimizer then updates the model.
//!
//! A step consists of three functions, so that its packs can be run on any thread: [`plan_packs`] decides
//! which rows are in which pack, [`run_pack`] runs one of the packs forward and backward, and a
//! [`Reduction`] sums the results in the order of the plan. The sums are the same, bit for bit, whichever
//! thread ran which pack, and when.

use crate::packs::{StepPlan, SumBy, plan_packs};
use crate::reduction::{Reduced, Reduction};
use crate::run_pack::{PackLosses, StepPass, run_pack};
use crate::spread::{Spread, SpreadSums, rounds};
use crate::target::{StepOptions, Target, TaskLoss};
use crate::{Gradients, TrainError};
use sextant_core::Task;
use sextant_model::{RelevanceModel, parameters};

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
    let lengths: Vec<usize>;
    let mut sums = if ranks == 1 {
        Sums::Here(Reduction::new(plan))
    } else {
        lengths = parameters(model).iter().map(sextant_model::ParamInfo::len).collect();
        Sums::Spread(SpreadSums::new(plan, &lengths, model.device().inner(), spread))
    };
    for round in rounds {
        let ran = round[rank].iter().try_for_each(|&pack| {
            let losses = run_pack(&pass, &plan.packs[pack], |found| sums.add(pack, found))?;
            sums.end_pack(pack, losses);
            Ok(())
        });
        sums.end_round(ran)?;
    }
    sums.finish()
}

/// Where the packs' results are summed. Both ways give the same sums if packs are added in their order.
enum Sums<'a> {
    /// In this process, which runs all packs.
    Here(Reduction),
    /// With those of other ranks.
    Spread(SpreadSums<'a>),
}

impl Sums<'_> {
    fn add(&mut self, pack: usize, found: Gradients) {
        match self {
            Self::Here(sums) => sums.add(pack, found),
            Self::Spread(sums) => sums.add(pack, found),
        }
    }

    fn end_pack(&mut self, pack: usize, losses: PackLosses) {
        match self {
            Self::Here(sums) => sums.end_pack(pack, losses),
            Self::Spread(sums) => sums.end_pack(pack, losses),
        }
    }

    fn end_round(&mut self, ran: Result<(), TrainError>) -> Result<(), TrainError> {
        match self {
            Self::Here(_) => ran,
            Self::Spread(sums) => sums.end_round(ran),
        }
    }

    fn finish(self) -> Result<Reduced, TrainError> {
        match self {
            Self::Here(sums) => Ok(sums.finish()),
            Self::Spread(sums) => sums.finish(),
        }
    }
}
