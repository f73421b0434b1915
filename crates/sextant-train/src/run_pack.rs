//! One pack of a step, forward and backward.

use crate::packs::{PlannedPack, StepPlan};
use crate::target::{StepOptions, Target, TaskLoss};
use crate::{Gradients, LayerTeacher, TrainError};
use burn::tensor::Tensor;
use sextant_core::{Event, Grade, Task};
use sextant_kernels::Precision;
use sextant_model::{
    Activations, ForwardContext, HeadKind, ObservedRates, PackInput, RelevanceModel, StepShared,
    behaviour_losses, distillation_losses, parameters, row_losses,
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
    by_blocks: Option<Activations>,
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
        let by_blocks = options.checkpointing.then_some(Activations::Recomputed);
        Self { model, batch, options, divisor: plan.divisor, shared, by_blocks }
    }

    /// The same pass, whose gradients are found block by block if that changes no bit of their sums, or if `any` bits
    /// will do, so that those of the first blocks can be sent while others are computed.
    pub(crate) fn by_blocks(mut self, any: bool) -> Self {
        let exact = any || !self.model.blocks_share_parameters();
        if exact && self.options.layers.is_none() {
            self.by_blocks.get_or_insert(Activations::Kept);
        }
        self
    }

    /// Whether the gradients of a pack are found block by block.
    pub(crate) fn is_by_blocks(&self) -> bool {
        self.by_blocks.is_some()
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
/// that is always the same: all at once, or, in a pass by blocks, a part for each block, as by
/// [`RelevanceModel::backward_by_blocks`].
///
/// # Errors
/// The model refuses the pack.
pub fn run_pack(
    pass: &StepPass<'_>,
    planned: &PlannedPack,
    mut each: impl FnMut(Gradients),
) -> Result<PackLosses, TrainError> {
    let StepPass { model, batch, options, divisor, shared, by_blocks } = pass;
    let members: Vec<_> = planned.rows.iter().map(|&row| (row, batch[row].row)).collect();
    let pack = Pack::new(&members);
    let targets: Vec<&Target<'_>> = pack.rows.iter().map(|&row| &batch[row]).collect();
    let weights: Vec<f32> = targets.iter().map(|target| target.weight).collect();
    let input = PackInput::new(&pack, &model.device())?;
    let mut ctx = ForwardContext::training(options.precision, &planned.key).sharing(shared);
    if let Some(layers) = options.layers {
        ctx = layers.keeping(ctx);
    }
    let head = model.spec().head;
    let of_rows = |logits| losses_of(logits, &targets, head, options);
    let packed = (&pack, &input, &ctx);
    let layers = options.layers.map(|layers| (layers, &weights[..], options.precision));
    let losses = backward(model, packed, *by_blocks, *divisor, of_rows, layers, &mut each)?;
    let sum = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).sum::<f64>();
    let task_losses = pack.task_rows.clone().map(|rows| TaskLoss {
        sum: sum(&losses[rows.clone()]),
        weight: sum(&weights[rows.clone()]),
        rows: rows.len(),
    });
    Ok(PackLosses { task_losses, tokens: pack.token_count() })
}

/// Runs a pack forward and backward. `losses` computes some losses from the logits of the pack's rows, and the
/// gradient is that of their sum divided by `divisor`; with `layers`, the rows also have the losses of these layers,
/// by their weights. `each` is called as by [`run_pack()`]. Returns the losses.
pub(crate) fn backward(
    model: &RelevanceModel,
    (pack, input, ctx): (&Pack, &PackInput, &ForwardContext),
    by_blocks: Option<Activations>,
    divisor: f64,
    losses: impl Fn(Tensor<2>) -> Tensor<1>,
    layers: Option<(&LayerTeacher, &[f32], Precision)>,
    mut each: impl FnMut(Gradients),
) -> Result<Vec<f32>, TrainError> {
    let total = |losses: &Tensor<1>| losses.clone().sum() / divisor as f32;
    // The losses of all rows after a forward pass that computed these logits.
    let all = |logits| {
        let losses = losses(logits);
        let Some((layers, weights, precision)) = layers else { return Ok(losses) };
        let of_layers = layers.losses(&ctx.take_layers(), pack, weights, precision)?;
        Ok::<_, TrainError>(losses + of_layers)
    };
    let losses = if !learns(model, pack) {
        all(model.forward(input, ctx)?)?
    } else if let Some(activations) = by_blocks {
        let mut found = None;
        let loss = |logits| {
            let losses = losses(logits);
            let loss = total(&losses);
            found = Some(losses);
            loss
        };
        let part = |part| each(Gradients::found(model, part));
        model.backward_by_blocks(input, ctx, activations, loss, part)?;
        // `found` is `None` only if there was an error, and then this line is not reached.
        found.unwrap_or_else(|| Tensor::zeros([0], &model.device()))
    } else {
        let losses = all(model.forward(input, ctx)?)?;
        let mut found = total(&losses).backward();
        let further = layers.map(|(layers, ..)| layers.projection.grad_remove(&mut found));
        let gradients = Gradients::found(model, found);
        each(match further {
            Some(further) => gradients.and(further),
            None => gradients,
        });
        losses
    };
    if let Some(rows) = ctx.take_word_rows() {
        each(Gradients::of_words(model, rows));
    }
    Ok(losses.inner().into_data().iter::<f32>().collect())
}

/// The loss of each row: that of its grade, that of its teacher's answer and that of its behaviour, by their shares.
fn losses_of(
    logits: Tensor<2>,
    targets: &[&Target<'_>],
    head: HeadKind,
    options: &StepOptions<'_>,
) -> Tensor<1> {
    let weights =
        |part: usize| -> Vec<f32> { targets.iter().map(|target| target.weights()[part]).collect() };
    let [of_grades, of_teacher, of_behaviour] = [0, 1, 2].map(weights);
    let counts = |weights: &[f32]| weights.iter().any(|&weight| weight > 0.0);
    let mut parts = Vec::new();
    if let Some(config) = options.distillation.filter(|_| counts(&of_teacher)) {
        // A row without a teacher's answer has weight 0 here, whatever its probabilities.
        let even = [1.0 / Grade::COUNT as f32; Grade::COUNT];
        let answer = |target: &&Target<'_>| target.teacher.map_or(even, |teacher| teacher.probs);
        let teacher: Vec<_> = targets.iter().map(answer).collect();
        parts.push(distillation_losses(logits.clone(), &teacher, &of_teacher, &config));
    }
    if let Some(config) = options.behaviour.filter(|_| counts(&of_behaviour)) {
        let observed = |(target, &weight): (&&Target<'_>, &f32)| ObservedRates {
            rates: target.behaviour.map_or([None; Event::COUNT], |behaviour| behaviour.rates),
            by_grade: &config.rates[target.row.task.index()],
            weight,
        };
        let observed: Vec<_> = targets.iter().zip(&of_behaviour).map(observed).collect();
        parts.push(behaviour_losses(logits.clone(), head, &observed, &config.events));
    }
    if parts.is_empty() || counts(&of_grades) {
        let grades: Vec<Grade> = targets.iter().map(|target| target.grade).collect();
        parts.insert(0, row_losses(logits.clone(), &grades, &of_grades, options.loss));
    }
    let sum = parts.into_iter().reduce(|sum, part| sum + part);
    sum.unwrap_or_else(|| Tensor::zeros([targets.len()], &logits.device()))
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
