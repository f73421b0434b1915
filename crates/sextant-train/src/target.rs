//! The parts of a step: the rows to learn from, the options, and the losses.

use sextant_core::Grade;
use sextant_kernels::Precision;
use sextant_model::LossConfig;
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
}

/// How a step's gradients are computed.
#[derive(Debug, Clone, Copy)]
pub struct StepOptions<'a> {
    /// Precision of matrix products.
    pub precision: Precision,
    /// The loss to minimise.
    pub loss: &'a LossConfig,
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
