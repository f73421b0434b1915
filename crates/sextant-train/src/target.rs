//! The parts of a step: the rows to learn from, the options, and the losses.

use crate::{BehaviourLoss, LayerTeacher, TargetOfBehaviour};
use sextant_core::Grade;
use sextant_kernels::Precision;
use sextant_model::{Distillation, LossConfig};
use sextant_text::RowView;

/// A row to learn from: its tokens, its grade, and the weight of its loss.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The encoded pair.
    pub row: RowView<'a>,
    /// Its grade.
    pub grade: Grade,
    /// The factor of the row's loss.
    pub weight: f32,
    /// What a teacher says of the row, if it is learned from one.
    pub teacher: Option<TargetOfTeacher>,
    /// What people did when they were shown the pair, if that is learned.
    pub behaviour: Option<TargetOfBehaviour>,
}

impl<'a> Target<'a> {
    /// A row that is learned from its grade alone, with weight 1.
    pub fn graded(row: RowView<'a>, grade: Grade) -> Self {
        Self { row, grade, weight: 1.0, teacher: None, behaviour: None }
    }

    /// The factors of the loss of the grade, of the loss of the teacher's answer and of that of behaviour. Behaviour
    /// has its share of the row, and the teacher its share of the rest.
    pub(crate) fn weights(&self) -> [f32; 3] {
        let of_behaviour = self.behaviour.map_or(0.0, |behaviour| behaviour.share);
        let of_teacher = self.teacher.map_or(0.0, |teacher| teacher.share);
        let rest = self.weight * (1.0 - of_behaviour);
        [rest * (1.0 - of_teacher), rest * of_teacher, self.weight * of_behaviour]
    }
}

/// What a teacher says of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetOfTeacher {
    /// The probabilities of the grades.
    pub probs: [f32; Grade::COUNT],
    /// The share of the row's loss that is the teacher's, in [0, 1]; with 1, the row's grade does not count.
    pub share: f32,
}

/// How a step's gradients are computed.
#[derive(Debug, Clone, Copy)]
pub struct StepOptions<'a> {
    /// Precision of matrix products.
    pub precision: Precision,
    /// The loss to minimise.
    pub loss: &'a LossConfig,
    /// How the answers of a teacher are learned; rows are learned from their grades alone if absent.
    pub distillation: Option<Distillation>,
    /// The loss of behaviour, if rows have some that is learned.
    pub behaviour: Option<&'a BehaviourLoss>,
    /// The teacher whose layers are learned besides, if there is one.
    pub layers: Option<&'a LayerTeacher>,
    /// The most tokens in a pack.
    pub pack_tokens: usize,
    /// The run's seed and the step's number, which determine the dropout masks.
    pub key: [u64; 2],
    /// Whether activations are computed again in the backward pass instead of being kept.
    pub checkpointing: bool,
    /// The divisor of the sum of the rows' losses; the sum of the rows' weights unless stated.
    pub divisor: Option<f64>,
}

/// The losses of one task's rows in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TaskLoss {
    /// The sum of the losses, each multiplied by its row's weight.
    pub sum: f64,
    /// The sum of the rows' weights.
    pub weight: f64,
    /// How many rows there were.
    pub rows: usize,
}

impl TaskLoss {
    /// The weighted mean of the losses; `None` if there are no rows.
    pub fn mean(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.sum / self.weight)
    }
}
