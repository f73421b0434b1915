//! The report that a demo or a set of runs leaves behind.

use crate::render::heading;
use crate::{Comparison, LabError, PairedTable};
use sextant_data::DataError;
use sextant_eval::Metric;
use sextant_files::AtomicFile;
use std::fmt::Write as _;
use std::io::Write as _;

/// A `report.md`: what was run, the tables, and what they mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Its heading.
    pub title: String,
    /// What was run and why: Markdown paragraphs.
    pub introduction: String,
    /// The command that makes the report again.
    pub command: Option<String>,
    /// The metrics to show, a table for each; the first is the headline.
    pub metrics: Vec<Metric>,
    /// Differences between runs, tested on the same rows.
    pub paired: Option<PairedTable>,
    /// What the reader should know: one bullet for each.
    pub notes: Vec<String>,
}

impl Report {
    /// The metrics of a report on a few runs.
    pub const METRICS: [Metric; 4] =
        [Metric::Accuracy, Metric::MacroF1, Metric::QuadraticKappa, Metric::Ece];

    /// The report as Markdown.
    pub fn to_markdown(&self, comparison: &Comparison) -> String {
        let mut text = format!("# {}\n", self.title);
        if !self.introduction.is_empty() {
            let _ = writeln!(text, "\n{}", self.introduction.trim());
        }
        if let Some(dataset) = comparison.dataset() {
            let _ = write!(text, "\nEvaluated on: {dataset}.\n");
        }
        for &metric in &self.metrics {
            let table = comparison.table(metric);
            let _ = write!(text, "\n## {}\n\n{}\n", heading(metric), table.to_markdown());
            let _ = writeln!(text, "Bold: best of its column. {}", table.legend());
        }
        if let Some(paired) = &self.paired {
            let _ = write!(
                text,
                "\n## Differences from {}\n\n{}\n\n{}",
                paired.reference,
                PairedTable::LEGEND,
                paired.to_markdown()
            );
        }
        let facts = comparison.table(Metric::Accuracy).facts_to_markdown();
        if !facts.is_empty() {
            let _ = write!(text, "\n## Runs\n\n{facts}");
        }
        if !self.notes.is_empty() {
            text.push_str("\n## Notes\n\n");
            for note in &self.notes {
                let _ = writeln!(text, "* {note}");
            }
        }
        if let Some(command) = &self.command {
            let _ = write!(text, "\n## Make it again\n\n```sh\n{command}\n```\n");
        }
        text
    }

    /// Writes the report as Markdown, whole or not at all.
    pub fn write(&self, comparison: &Comparison, mut file: AtomicFile) -> Result<(), LabError> {
        file.write_all(self.to_markdown(comparison).as_bytes())
            .map_err(|source| DataError::write(file.path(), source))?;
        Ok(file.commit()?)
    }
}
