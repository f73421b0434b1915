//! Differences between runs that answered the same rows, with their uncertainty.

use crate::LabError;
use crate::render::{bracketed_effects, dash, effect, escaped, markdown, p_text, signed, text};
use crate::table::Slice;
use serde::Serialize;
use sextant_eval::{Bootstrap, OddsRatio, PairedComparison, Scored, compare};

/// The difference of one run from the reference on one slice of the rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The run.
    pub run: String,
    /// A task, or all rows pooled.
    pub slice: Slice,
    /// The accuracies of the reference (first) and of the run (second), compared.
    #[serde(flatten)]
    pub comparison: PairedComparison,
}

/// Accuracies of runs minus that of a reference run, on the same rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedTable {
    /// The run that the others are compared with.
    pub reference: String,
    /// Every run on every slice, in the order in which runs were added.
    pub differences: Vec<Difference>,
}

impl PairedTable {
    /// A table without runs yet.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), differences: Vec::new() }
    }

    /// Adds a run: all rows pooled, and each task. `reference` and `run` hold the same rows in the same
    /// order.
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

    /// The differences as JSON: a list of objects.
    ///
    /// # Errors
    /// A number has no form in JSON.
    pub fn to_json(&self) -> Result<String, LabError> {
        Ok(serde_json::to_string(&self.differences)?)
    }

    /// The table as GitHub Markdown: differences in percentage points.
    pub fn to_markdown(&self) -> String {
        let rows = self.rows().map(|row| row.iter().map(|text| escaped(text)).collect());
        markdown(&Self::header(), rows)
    }

    /// The table for a terminal; empty without differences.
    pub fn to_text(&self) -> String {
        if self.differences.is_empty() {
            return String::new();
        }
        let table = text(Self::header(), self.rows().collect());
        format!("Differences from {}\n{table}\n{}", self.reference, Self::LEGEND)
    }

    /// Explains the numbers of the table.
    pub const LEGEND: &str = "Accuracy in percentage points on the same rows; 95 % intervals and p from a paired bootstrap over groups. Cohen's h: the size of the difference on a scale where 0.2 is called small, 0.5 medium, 0.8 large. Odds ratio: of the rows that one of the two gets right, the run's over the reference's, with the exact interval that belongs to McNemar's test; both take rows to be independent. p-values are not corrected for their number.";

    fn header() -> Vec<String> {
        [
            "run",
            "rows",
            "difference",
            "interval",
            "Cohen's h",
            "p (bootstrap)",
            "odds ratio",
            "p (McNemar, exact)",
        ]
        .map(str::to_owned)
        .into()
    }

    fn rows(&self) -> impl Iterator<Item = Vec<String>> {
        self.differences.iter().map(|found| {
            let PairedComparison { accuracy, mcnemar, odds_ratio, .. } = &found.comparison;
            let points = |x: f64| signed(100.0 * x, 1);
            let interval = accuracy.difference.interval;
            let range = accuracy
                .cohens_h
                .interval
                .map_or_else(String::new, |interval| format!(" {}", bracketed_effects(interval)));
            vec![
                found.run.clone(),
                format!("{} ({})", found.slice.as_str(), accuracy.rows),
                points(accuracy.difference.value),
                interval.map_or_else(dash, |i| format!("{} to {}", points(i.low), points(i.high))),
                effect(accuracy.cohens_h.value) + &range,
                accuracy.p_value.map_or_else(dash, p_text),
                odds_ratio.map_or_else(dash, odds),
                p_text(mcnemar.exact_p),
            ]
        })
    }
}

/// An odds ratio with its interval.
fn odds(ratio: OddsRatio) -> String {
    let number =
        |value: Option<f64>| value.map_or_else(|| "∞".into(), |value| format!("{value:.2}"));
    format!("{} [{}, {}]", number(ratio.value), number(Some(ratio.low)), number(ratio.high))
}

/// The rows of a slice.
fn within<'a>(rows: &[Scored<'a>], slice: Slice) -> Vec<Scored<'a>> {
    let holds = |row: &&Scored<'a>| match slice {
        Slice::Pooled => true,
        Slice::Task(task) => row.task == task,
    };
    rows.iter().filter(holds).copied().collect()
}
