//! A section for a terminal.

use super::{Entry, Section};
use crate::render::text;

impl Section {
    /// The section's paragraphs and tables as text: details below values, `*` at what is best.
    pub(crate) fn to_text(&self) -> String {
        let mut parts = Vec::new();
        for table in &self.tables {
            let cell = |entry: &Entry| {
                let star = if entry.best { "*" } else { "" };
                let mark = if entry.significant { "†" } else { "" };
                let gap = if entry.detail.is_empty() { "" } else { "\n" };
                format!("{}{star}{mark}{gap}{}", entry.text, entry.detail)
            };
            let rows = table.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
            parts.push(format!("{}\n{}", table.caption, text(table.header.clone(), rows)));
        }
        parts.extend(self.text.iter().cloned());
        parts.join("\n\n")
    }
}
