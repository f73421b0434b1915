//! Differences between runs that answered the same rows, with their uncertainty.

use crate::LabError;
use crate::render::{dash, escaped, markdown};
use crate::table::Slice;
use sextant_eval::{Bootstrap, PairedComparison, Scored, compare};

/// How far one run is from the reference on one slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The run.
    pub run: String,
    /// A task, or all rows pooled.
    pub slice: Slice,
    /// Its accuracy minus the reference's.
    pub comparison: PairedComparison,
}

/// Accuracies of runs minus that of a reference run, on the same rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedTable {
    /// The run that the others are compared with.
    pub reference: String,
    /// For each run each slice, in the order in which they were added.
    pub differences: Vec<Difference>,
}

impl PairedTable {
    /// A table of nothing yet.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), differences: Vec::new() }
    }

    /// Adds a run: all rows pooled, and each task. `reference` and `run` are the same rows in the
    /// same order.
    ///
    /// # Errors
    /// Rows that differ, or predictions that are not probabilities.
    pub fn add(
        &mut self,
        name: &str,
        reference: &[Scored<'_>],
        run: &[Scored<'_>],
        bootstrap: &Bootstrap,
    ) -> Result<(), LabError> {
        let tasks = sextant_core::Task::ALL.into_iter().map(Slice::Task);
        for slice in std::iter::once(Slice::Pooled).chain(tasks) {
            let (first, second) = (within(reference, slice), within(run, slice));
            if first.is_empty() {
                continue;
            }
            let comparison = compare(&first, &second, bootstrap)?;
            self.differences.push(Difference { run: name.to_owned(), slice, comparison });
        }
        Ok(())
    }

    /// The table as GitHub Markdown: differences in percentage points.
    pub fn to_markdown(&self) -> String {
        let header =
            ["run", "rows", "difference", "interval", "p (bootstrap)", "p (McNemar, exact)"];
        let rows = self.differences.iter().map(|found| {
            let comparison = &found.comparison;
            let points = |x: f64| format!("{:+.1}", 100.0 * x);
            let interval = comparison.difference.interval;
            vec![
                escaped(&found.run),
                format!("{} ({})", found.slice.as_str(), comparison.rows),
                points(comparison.difference.value),
                interval.map_or_else(dash, |i| format!("{} to {}", points(i.low), points(i.high))),
                comparison.p_value.map_or_else(dash, |p| format!("{p:.3}")),
                format!("{:.3}", comparison.mcnemar.exact_p),
            ]
        });
        markdown(&header.map(str::to_owned), rows)
    }
}

/// The rows of a slice.
fn within<'a>(rows: &[Scored<'a>], slice: Slice) -> Vec<Scored<'a>> {
    let holds = |row: &&Scored<'a>| match slice {
        Slice::Pooled => true,
        Slice::Task(task) => row.task == task,
    };
    rows.iter().filter(holds).copied().collect()
}
