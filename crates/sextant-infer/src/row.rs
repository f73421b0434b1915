//! A pair as tokens.

use sextant_core::Task;
use sextant_text::{Cut, EncodedRow};

/// A pair as every model that is asked sees it. It can be given to the scorer that made it.
#[derive(Debug, Clone)]
pub struct ScorerRow {
    pub(crate) task: Task,
    /// The number of each member that is asked, and its row there.
    pub(crate) rows: Vec<(usize, EncodedRow)>,
}

impl ScorerRow {
    /// The pair's task.
    pub fn task(&self) -> Task {
        self.task
    }

    /// How many tokens answering it takes, special tokens included: those of its row, added up over the
    /// models that are asked. Work grows with it, so that batches of equal sums are batches of about equal
    /// work.
    pub fn tokens(&self) -> usize {
        self.rows.iter().map(|(_, row)| row.len()).sum()
    }

    /// What truncation took, by the model that lost most.
    pub fn cut(&self) -> Cut {
        let cuts = self.rows.iter().map(|(_, row)| row.cut);
        cuts.max_by_key(|cut| cut.left + cut.right).unwrap_or_default()
    }
}
