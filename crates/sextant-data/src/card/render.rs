//! The data card as Markdown.

use super::DataCard;
use crate::table::{percent, table};
use sextant_core::Grade;
use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

impl Display for DataCard {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let found = &self.check.repetitions;
        writeln!(f, "# Data card: {}\n\n{} rows, {} groups.", self.name, self.rows, self.groups)?;
        writeln!(f, "\n## Rows by task, split and grade\n\n{}", self.parts_table())?;
        writeln!(f, "## Sources\n\n{}", self.sources_table())?;
        writeln!(f, "## Length in words\n\nAll fields of a structured product count.\n")?;
        writeln!(f, "{}", self.lengths_table())?;
        writeln!(f, "## Baselines\n\n{BASELINES}\n\n{}", self.check.baselines_table())?;
        writeln!(f, "## Checks\n")?;
        for (count, what) in [
            (found.pairs_across_splits.len(), "pairs in more than one split"),
            (found.groups_across_splits.len(), "groups in more than one split"),
            (found.contradictions.len(), "pairs with contradictory grades"),
            (found.duplicates.len(), "pairs repeated within a split"),
        ] {
            writeln!(f, "* {count} {what}")?;
        }
        if !self.files.is_empty() {
            write!(f, "\n## Files\n\n{}", self.files_table())?;
        }
        Ok(())
    }
}

const BASELINES: &str = "\
Accuracy on the test rows of two rules fitted on the train rows: always the most frequent grade, and
two thresholds on the share of common words. `left seen` and `right seen` are the shares of test rows
whose entity on that side also occurs in a train row.";

impl DataCard {
    /// The card as a Markdown page.
    pub fn to_markdown(&self) -> String {
        self.to_string()
    }

    fn parts_table(&self) -> String {
        let rows: Vec<_> = self
            .parts
            .iter()
            .map(|part| {
                let share = |count: usize| percent(count as f64 / part.rows as f64);
                let mut row = vec![part.task.to_string(), part.split.to_string()];
                row.push(part.rows.to_string());
                row.extend(part.grades.map(|count| count.to_string()));
                row.extend([share(part.human), share(part.derived), share(part.unstated)]);
                row.push(part.groups.to_string());
                row
            })
            .collect();
        let [zero, one, two] = Grade::ALL.map(Grade::as_str);
        let header =
            ["task", "split", "rows", zero, one, two, "human", "derived", "unstated", "groups"];
        table(&header, 2, &rows)
    }

    fn sources_table(&self) -> String {
        let mut counts = BTreeMap::new();
        for part in &self.parts {
            for (source, rows) in &part.sources {
                *counts.entry((part.task, source)).or_insert(0) += rows;
            }
        }
        let rows: Vec<_> = counts
            .into_iter()
            .map(|((task, source), rows): (_, usize)| {
                let source = if source.is_empty() { "(unstated)" } else { source };
                vec![task.to_string(), source.to_owned(), rows.to_string()]
            })
            .collect();
        table(&["task", "source", "rows"], 2, &rows)
    }

    fn lengths_table(&self) -> String {
        let rows: Vec<_> = self
            .lengths
            .iter()
            .map(|facts| {
                let mut row =
                    vec![facts.task.to_string(), format!("{} ({})", facts.side, facts.kind)];
                row.extend([facts.median, facts.p95, facts.max].map(|words| words.to_string()));
                row
            })
            .collect();
        table(&["task", "side", "median", "95 %", "max"], 2, &rows)
    }

    fn files_table(&self) -> String {
        let rows: Vec<_> = self
            .files
            .iter()
            .map(|file| vec![file.name.clone(), file.sha256.clone(), file.bytes.to_string()])
            .collect();
        table(&["file", "SHA-256", "bytes"], 2, &rows)
    }
}
