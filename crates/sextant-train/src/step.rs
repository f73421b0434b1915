//! The gradients of one step's rows: what is between a batch and an optimizer step.

use crate::{Gradients, TrainError};
use burn::tensor::Tensor;
use sextant_core::{Grade, Task};
use sextant_kernels::Precision;
use sextant_model::{
    ForwardContext, LossConfig, PackInput, RelevanceModel, StepShared, parameters, row_losses,
};
use sextant_text::{Pack, RowView, fill};
use std::rc::Rc;

/// A row to learn from: its tokens, its grade, the weight of its loss.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The encoded pair.
    pub row: RowView<'a>,
    /// Its grade.
    pub grade: Grade,
    /// What its loss is multiplied by.
    pub weight: f32,
}

/// How a step's gradients are computed.
#[derive(Debug, Clone, Copy)]
pub struct StepOptions<'a> {
    /// Precision of the products.
    pub precision: Precision,
    /// What to minimise.
    pub loss: &'a LossConfig,
    /// Tokens per pack.
    pub pack_tokens: usize,
    /// The run's seed and the step's number, which decide what dropout drops.
    pub key: [u64; 2],
    /// Whether activations are computed again in the backward pass.
    pub checkpointing: bool,
    /// What the sum of the rows' losses is divided by; the sum of their weights unless stated.
    pub divisor: Option<f64>,
}

/// The losses of one task's rows in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TaskLoss {
    /// Their sum, each times its row's weight.
    pub sum: f64,
    /// The sum of the weights.
    pub weight: f64,
    /// How many rows there were.
    pub rows: usize,
}

impl TaskLoss {
    /// The weighted mean; none without rows.
    pub fn mean(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.sum / self.weight)
    }
}

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
pub fn gradients(
    model: &RelevanceModel,
    batch: &[Target<'_>],
    options: StepOptions<'_>,
) -> Result<StepGradients, TrainError> {
    let weight = options
        .divisor
        .unwrap_or_else(|| batch.iter().map(|target| f64::from(target.weight)).sum());
    let lengths: Vec<usize> = batch.iter().map(|target| target.row.len()).collect();
    let device = model.device();
    let shared = Rc::new(StepShared::default());
    let mut gradients = Gradients::default();
    let mut task_losses = [TaskLoss::default(); Task::COUNT];
    for (i, range) in fill(&lengths, options.pack_tokens).into_iter().enumerate() {
        let members: Vec<_> = range.map(|index| (index, batch[index].row)).collect();
        let pack = Pack::new(&members);
        let of_row = |&index: &usize| (batch[index].grade, batch[index].weight);
        let (grades, weights): (Vec<_>, Vec<_>) = pack.rows.iter().map(of_row).unzip();
        let input = PackInput::new(&pack, &device)?;
        let [seed, step] = options.key;
        let ctx = ForwardContext::training(options.precision, &[seed, step, i as u64]);
        let ctx = ctx.sharing(&shared);
        let of_rows = |logits| row_losses(logits, &grades, &weights, options.loss);
        let total = |losses: &Tensor<1>| losses.clone().sum() / weight as f32;
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
            let each = |found| gradients.add(model, found);
            model.backward_checkpointed(&input, &ctx, loss, each)?;
            found.unwrap_or_else(|| Tensor::zeros([0], &device)) // set whenever there was no error
        } else {
            let losses = of_rows(model.forward(&input, &ctx)?);
            gradients.add(model, total(&losses).backward());
            losses
        };
        let losses: Vec<f32> = losses.inner().into_data().iter::<f32>().collect();
        for (entry, rows) in task_losses.iter_mut().zip(&pack.task_rows) {
            let sum = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).sum::<f64>();
            entry.sum += sum(&losses[rows.clone()]);
            entry.weight += sum(&weights[rows.clone()]);
            entry.rows += rows.len();
        }
    }
    gradients.take_rows(model, &shared);
    Ok(StepGradients { gradients, task_losses, weight, tokens: lengths.iter().sum() })
}

/// Whether a parameter on the way of a pack's rows is trained. Where none is, as when the only
/// unfrozen branches are of other tasks, there is nothing to run backward for.
fn learns(model: &RelevanceModel, pack: &Pack) -> bool {
    let spec = model.spec();
    let names = spec.branch_names();
    // Below the last level of a mixture, what all tasks share reads every task's experts.
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
