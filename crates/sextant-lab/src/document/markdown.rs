//! The document as Markdown: the same tables; plots are in the HTML.

use super::{Document, Entry, Table};
use crate::render::{escaped, markdown};
use std::fmt::Write;

impl Document {
    /// The document as GitHub Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        for paragraph in &self.lead {
            let _ = write!(text, "\n{paragraph}\n");
        }
        for section in &self.sections {
            let _ = write!(text, "\n## {}\n", section.title);
            for paragraph in &section.text {
                let _ = write!(text, "\n{paragraph}\n");
            }
            for table in &section.tables {
                text.push('\n');
                if !table.caption.is_empty() {
                    let _ = write!(text, "**{}**\n\n", table.caption);
                }
                text.push_str(&of_table(table));
            }
        }
        let Some(recipe) = &self.recipe else { return text };
        let _ = write!(
            text,
            "\n## Make it again\n\nSave the recipe as lab.toml; `sextant lab run lab.toml --out FOLDER` trains what is missing, `sextant lab report FOLDER` writes this report.\n\n```toml\n{recipe}```\n"
        );
        text
    }
}

fn of_table(table: &Table) -> String {
    let header: Vec<String> = table.header.iter().map(|text| escaped(text)).collect();
    markdown(&header, table.rows.iter().map(|row| row.iter().map(of_entry).collect()))
}

fn of_entry(entry: &Entry) -> String {
    let text = escaped(&entry.text);
    let text = if entry.best { format!("**{text}**") } else { text };
    let mark = if entry.significant { "†" } else { "" };
    let gap = if entry.detail.is_empty() { "" } else { " " };
    format!("{text}{mark}{gap}{}", escaped(&entry.detail))
}
