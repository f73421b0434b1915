//! An encoded pair, and the answer to it.

use sextant_core::{Prediction, Task};
use sextant_text::{Cut, EncodedRow};

/// A pair, encoded for each model that answers its task. Only the scorer that encoded the pair can answer it.
#[derive(Debug, Clone)]
pub struct ScorerRow {
    pub(crate) task: Task,
    /// The index of each member that answers the pair, and the row of tokens for it.
    pub(crate) rows: Vec<(usize, EncodedRow)>,
}

impl ScorerRow {
    /// The pair's task.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The number of tokens that are computed to answer the pair: the length of its row, with special tokens,
    /// summed over the models that answer it; in a cascade also over those that may not be asked. Work grows with this number, so that batches with equal sums take
    /// about the same amount of work.
    pub fn tokens(&self) -> usize {
        self.rows.iter().map(|(_, row)| row.len()).sum()
    }

    /// What truncation removed, for the model whose row lost most.
    pub fn cut(&self) -> Cut {
        let cuts = self.rows.iter().map(|(_, row)| row.cut);
        cuts.max_by_key(|cut| cut.left + cut.right).unwrap_or_default()
    }
}

/// The answer to a pair, and what it was made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Voted {
    /// The answer of the bundle or of the whole ensemble.
    pub prediction: Prediction,
    /// The answer of each model that was asked about the pair, with the model's position in
    /// [`Scorer::models`](crate::Scorer::models).
    pub votes: Vec<(usize, Prediction)>,
}
