//! What a step is made of: rows to learn from, how to, and what their losses come to.

use sextant_core::Grade;
use sextant_kernels::Precision;
use sextant_model::LossConfig;
use sextant_text::RowView;

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
