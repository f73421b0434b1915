//! One evaluated row: its true grade beside the model's prediction.

use crate::EvalError;
use sextant_core::{Example, Grade, Prediction, Task};

/// A row's true grade beside the prediction for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored<'a> {
    /// The row's task.
    pub task: Task,
    /// The true grade.
    pub grade: Grade,
    /// The model's answer.
    pub prediction: Prediction,
    /// The group: rows of one group are resampled together and, within one task, form a ranked list. A
    /// row without a group is its own unit of resampling.
    pub group: Option<&'a str>,
    /// How much the row counts, like `sample_weight` in scikit-learn. Finite and positive; 1 to count
    /// every row once.
    pub weight: f32,
}

impl<'a> Scored<'a> {
    /// A row of weight 1 without a group.
    pub fn new(task: Task, grade: Grade, prediction: Prediction) -> Self {
        Self { task, grade, prediction, group: None, weight: 1.0 }
    }

    /// The row of a labelled example. An example's weight is that of its *loss*, so it is not taken
    /// over: every row counts 1. Set [`Scored::weight`] to weigh the metrics too.
    pub fn of(example: &'a Example, prediction: Prediction) -> Self {
        Self {
            group: example.group.as_deref(),
            ..Self::new(example.pair.task, example.grade, prediction)
        }
    }

    /// Whether the predicted grade is the true one.
    pub fn is_correct(&self) -> bool {
        self.prediction.grade() == self.grade
    }

    /// Checks the row at `index` (for the message only): finite, non-negative probabilities that
    /// sum to 1, and a usable weight.
    pub(crate) fn check(&self, index: usize) -> Result<(), EvalError> {
        if !self.prediction.is_distribution() {
            let probs = self.prediction.probs;
            return Err(EvalError::Probabilities { index, task: self.task, probs });
        }
        if !(self.weight.is_finite() && self.weight > 0.0) {
            return Err(EvalError::Weight { index, weight: self.weight });
        }
        Ok(())
    }
}
