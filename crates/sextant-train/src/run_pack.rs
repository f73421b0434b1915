//! One pack of a step, forward and backward.

use crate::packs::{PlannedPack, StepPlan};
use crate::target::{StepOptions, Target, TaskLoss};
use crate::{Gradients, TrainError};
use burn::tensor::Tensor;
use sextant_core::{Grade, Task};
use sextant_model::{
    ForwardContext, PackInput, RelevanceModel, StepShared, distillation_losses, parameters,
    row_losses,
};
use sextant_text::Pack;
use std::sync::Arc;

/// The inputs that all packs of a step share; any thread may read them.
#[derive(Debug)]
pub struct StepPass<'a> {
    model: &'a RelevanceModel,
    batch: &'a [Target<'a>],
    options: StepOptions<'a>,
    divisor: f64,
    shared: Arc<StepShared>,
}

impl<'a> StepPass<'a> {
    /// A pass over a batch, which `plan` lays out in packs.
    pub fn new(
        model: &'a RelevanceModel,
        batch: &'a [Target<'a>],
        options: StepOptions<'a>,
        plan: &StepPlan,
    ) -> Self {
        Self::of_packs(model, batch, options, plan, plan.packs.len())
    }

    /// A pass of which this process runs so many packs only.
    pub(crate) fn of_packs(
        model: &'a RelevanceModel,
        batch: &'a [Target<'a>],
        options: StepOptions<'a>,
        plan: &StepPlan,
        packs: usize,
    ) -> Self {
        let shared = Arc::new(StepShared::of(packs));
        Self { model, batch, options, divisor: plan.divisor, shared }
    }
}

/// The losses and the number of tokens of a pack.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PackLosses {
    /// The losses of each task's rows.
    pub task_losses: [TaskLoss; Task::COUNT],
    /// Tokens of all rows.
    pub tokens: usize,
}

/// Runs one pack forward and backward. `each` is called with gradients as they are computed, in an order
/// that is always the same: all at once, or, if activations are computed again, a part for each block.
///
/// # Errors
/// The model refuses the pack.
pub fn run_pack(
    pass: &StepPass<'_>,
    planned: &PlannedPack,
    mut each: impl FnMut(Gradients),
) -> Result<PackLosses, TrainError> {
    let StepPass { model, batch, options, divisor, shared } = pass;
    let members: Vec<_> = planned.rows.iter().map(|&row| (row, batch[row].row)).collect();
    let pack = Pack::new(&members);
    let targets: Vec<&Target<'_>> = pack.rows.iter().map(|&row| &batch[row]).collect();
    let weights: Vec<f32> = targets.iter().map(|target| target.weight).collect();
    let device = model.device();
    let input = PackInput::new(&pack, &device)?;
    let ctx = ForwardContext::training(options.precision, &planned.key).sharing(shared);
    let of_rows = |logits| losses_of(logits, &targets, options);
    let total = |losses: &Tensor<1>| losses.clone().sum() / *divisor as f32;
    let losses = if !learns(model, &pack) {
        of_rows(model.forward(&input, &ctx)?)
    } else if options.checkpointing {
        let mut found = None;
        let loss = |logits| {
            let losses = of_rows(logits);
            let loss = total(&losses);
            found = Some(losses);
            loss
        };
        let part = |part| each(Gradients::found(model, part));
        model.backward_checkpointed(&input, &ctx, loss, part)?;
        // `found` is `None` only if there was an error, and then this line is not reached.
        found.unwrap_or_else(|| Tensor::zeros([0], &device))
    } else {
        let losses = of_rows(model.forward(&input, &ctx)?);
        each(Gradients::found(model, total(&losses).backward()));
        losses
    };
    if let Some(rows) = ctx.take_word_rows() {
        each(Gradients::of_words(model, rows));
    }
    let losses: Vec<f32> = losses.inner().into_data().iter::<f32>().collect();
    let sum = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).sum::<f64>();
    let task_losses = pack.task_rows.clone().map(|rows| TaskLoss {
        sum: sum(&losses[rows.clone()]),
        weight: sum(&weights[rows.clone()]),
        rows: rows.len(),
    });
    Ok(PackLosses { task_losses, tokens: pack.token_count() })
}

/// The loss of each row: that of its grade and that of its teacher's answer, by their shares.
fn losses_of(logits: Tensor<2>, targets: &[&Target<'_>], options: &StepOptions<'_>) -> Tensor<1> {
    let grades: Vec<Grade> = targets.iter().map(|target| target.grade).collect();
    let (of_grades, of_teacher): (Vec<f32>, Vec<f32>) =
        targets.iter().map(|target| target.weights().into()).unzip();
    let taught = of_teacher.iter().any(|&weight| weight > 0.0);
    let Some(config) = options.distillation.filter(|_| taught) else {
        return row_losses(logits, &grades, &of_grades, options.loss);
    };
    // A row without a teacher's answer has weight 0 here, whatever its probabilities.
    let even = [1.0 / Grade::COUNT as f32; Grade::COUNT];
    let answer = |target: &&Target<'_>| target.teacher.map_or(even, |teacher| teacher.probs);
    let teacher: Vec<_> = targets.iter().map(answer).collect();
    let distilled = distillation_losses(logits.clone(), &teacher, &of_teacher, &config);
    if of_grades.iter().all(|&weight| weight == 0.0) {
        return distilled;
    }
    row_losses(logits, &grades, &of_grades, options.loss) + distilled
}

/// Whether the rows of a pack pass through a parameter that is trained. If they do not, for example because
/// the only unfrozen branches are those of other tasks, there is no gradient to compute.
fn learns(model: &RelevanceModel, pack: &Pack) -> bool {
    let spec = model.spec();
    let names = spec.branch_names();
    // Below the last level of a mixture, the part that all tasks share reads the experts of every task.
    let read_by_all = |rest: &str| {
        let levels = spec.routing.mixture.map_or(0, |mixture| mixture.levels);
        let level = rest.strip_prefix("task_mixture.").and_then(|rest| rest.split_once('.'));
        level.is_some_and(|(level, part)| {
            part.starts_with("experts.") && level.parse().is_ok_and(|i: usize| i + 1 < levels)
        })
    };
    let present: Vec<&str> = Task::ALL
        .into_iter()
        .filter(|task| !pack.task_rows[task.index()].is_empty())
        .filter_map(|task| spec.branch_of(task).map(|branch| names[branch]))
        .collect();
    parameters(model).iter().filter(|info| info.trainable).any(|info| {
        match info.name.strip_prefix("branches.").and_then(|rest| rest.split_once('.')) {
            Some((branch, rest)) => present.contains(&branch) || read_by_all(rest),
            None => true,
        }
    })
}
