//! Estimates of how long runs take.

use super::Lab;
use crate::cell::Cell;
use crate::ledger::LedgerEntry;
use sextant_train::{candidates, train_positions};

impl Lab {
    /// The seconds that a cell may take, from finished runs of its backbone: the mean of those with the
    /// same routing or, without any, the time per training row of all of them. `None` if no run of the
    /// backbone is finished. If the cell is trained already, only its evaluation counts.
    pub(super) fn estimate(&self, cell: &Cell) -> Option<f64> {
        let finished: Vec<&LedgerEntry> = self
            .grid
            .cells
            .iter()
            .filter(|other| other.backbone == cell.backbone)
            .filter_map(|other| self.entry(other))
            .collect();
        // Runs with the same routing label cost about the same; without any, runs of the backbone are
        // scaled by their rows.
        let alike = |entry: &&&LedgerEntry| entry.routing == cell.routing;
        let alike: Vec<_> = finished.iter().filter(alike).copied().collect();
        let (of, scale) = if alike.is_empty() { (finished, true) } else { (alike, false) };
        if of.is_empty() {
            return None;
        }
        let trained = self.run_folder(cell.name()).summary().exists();
        let cost = |entry: &LedgerEntry| {
            if trained { entry.test_seconds } else { entry.seconds + entry.test_seconds }
        };
        let total: f64 = of.iter().map(|entry| cost(entry)).sum();
        if !scale {
            return Some(total / of.len() as f64);
        }
        let rows: u64 = of.iter().map(|entry| entry.rows).sum();
        Some(total / rows.max(1) as f64 * self.rows_of(cell))
    }

    /// About how many rows a cell trains on, repetitions counted.
    fn rows_of(&self, cell: &Cell) -> f64 {
        let recipe = &cell.recipe;
        if let Some(steps) = recipe.schedule.steps {
            return (steps * recipe.batch.rows as u64) as f64;
        }
        let rows =
            train_positions(&candidates(&self.data.dataset.train, recipe), recipe, &recipe.tasks)
                .len();
        rows as f64 * recipe.schedule.epochs
    }
}
