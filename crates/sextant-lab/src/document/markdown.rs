//! The document as Markdown: the same tables; plots are in the HTML.

use super::{Document, Entry, Table};
use crate::render::{escaped, markdown};
use std::fmt::Write;

impl Document {
    /// The verdict for a terminal; empty where there is none.
    pub fn verdict(&self) -> String {
        let Some(words) = &self.verdict else { return String::new() };
        let mut text = words.headline.replace('`', "");
        for (heading, sentences) in &words.statements {
            let _ = write!(text, "\n\n{heading}");
            for sentence in sentences {
                let _ = write!(text, "\n  {}", sentence.replace('`', ""));
            }
        }
        text
    }

    /// The document as GitHub Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        if let Some(words) = &self.verdict {
            let _ = write!(text, "\n**{}**\n", words.headline);
            for (heading, sentences) in &words.statements {
                let _ = write!(text, "\n**{heading}.** {}\n", sentences.join(" "));
            }
        }
        for paragraph in &self.lead {
            let _ = write!(text, "\n{paragraph}\n");
        }
        // A section of plots alone would be words about nothing.
        let shown =
            |section: &&super::Section| section.plots.is_empty() || !section.tables.is_empty();
        for section in self.sections.iter().filter(shown) {
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
