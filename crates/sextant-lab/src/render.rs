//! Tables as Markdown, CSV and text.

use crate::{ComparisonTable, LabError, Row, RunFacts, TableCell};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use sextant_eval::{Interval, Metric};
use std::fmt::Write;

impl ComparisonTable {
    /// The table as GitHub Markdown: value and interval in a cell, the best of each column in bold.
    pub fn to_markdown(&self) -> String {
        let cell = |cell: &TableCell| {
            let value = number(self.metric, cell.estimate.value);
            let value = if cell.best { format!("**{value}**") } else { value };
            self.with_interval(cell, value, " ")
        };
        let rows = self.rows.iter().map(|row| {
            let cells = row.cells.iter().map(|found| found.as_ref().map_or_else(dash, cell));
            std::iter::once(escaped(&row.name)).chain(cells).collect()
        });
        markdown(&self.header(" "), rows)
    }

    /// The facts of the runs as GitHub Markdown; empty if there are no runs.
    pub fn facts_to_markdown(&self) -> String {
        let rows = self.facts();
        if rows.is_empty() {
            return String::new();
        }
        let rows = rows.iter().map(|row| row.iter().map(|text| escaped(text)).collect());
        markdown(&facts_header(), rows)
    }

    /// The facts of the runs for a terminal; empty if there are no runs.
    pub fn facts_to_text(&self) -> String {
        let rows = self.facts();
        if rows.is_empty() { String::new() } else { text(facts_header(), rows) }
    }

    /// The table for a terminal: intervals below values, `*` at the best of each column.
    pub fn to_text(&self) -> String {
        let cell = |cell: &TableCell| {
            let star = if cell.best { "*" } else { "" };
            self.with_interval(cell, number(self.metric, cell.estimate.value) + star, "\n")
        };
        let rows = self.rows.iter().map(|row| {
            let cells = row.cells.iter().map(|found| found.as_ref().map_or_else(dash, cell));
            std::iter::once(row.name.clone()).chain(cells).collect()
        });
        let table = text(self.header("\n"), rows.collect());
        format!("{table}\n* best of its column. {}", self.legend())
    }

    /// The table as CSV with exact numbers: for each column value, `_low` and `_high`, then facts.
    pub fn to_csv(&self) -> Result<String, LabError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let slices = self.columns.iter().flat_map(|column| {
            ["", "_low", "_high"].map(|end| format!("{}{end}", column.slice.as_str()))
        });
        let fixed = ["run", "kind", "metric"].map(str::to_owned);
        writer.write_record(
            fixed.into_iter().chain(slices).chain(RunFacts::KEYS.map(str::to_owned)),
        )?;
        for row in &self.rows {
            let cells = row.cells.iter().flat_map(|cell| {
                let estimate = cell.map(|cell| cell.estimate);
                let interval = estimate.and_then(|estimate| estimate.interval);
                [
                    estimate.map(|estimate| estimate.value),
                    interval.map(|interval| interval.low),
                    interval.map(|interval| interval.high),
                ]
                .map(|value| value.map_or_else(String::new, |value| value.to_string()))
            });
            let kind = serde_json::to_value(row.kind)?;
            let fixed = [&row.name, kind.as_str().unwrap_or_default(), self.metric.as_str()];
            let facts = row.facts.clone().unwrap_or_default().exact();
            writer.write_record(fixed.map(str::to_owned).into_iter().chain(cells).chain(facts))?;
        }
        let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Explains the numbers of the table in one line.
    pub fn legend(&self) -> String {
        let unit = if is_share(self.metric) { " in percent" } else { "" };
        let better = if self.metric.higher_is_better() { "higher" } else { "lower" };
        let interval = self.level.map_or_else(String::new, |level| {
            format!("; [low, high]: {} % bootstrap interval over groups", level * 100.0)
        });
        format!("{}{unit}, {better} is better{interval}.", heading(self.metric))
    }

    /// The facts of the runs as rows of a table.
    fn facts(&self) -> Vec<Vec<String>> {
        let row = |row: &Row| {
            let facts = row.facts.as_ref()?.readable();
            Some(std::iter::once(row.name.clone()).chain(facts).collect())
        };
        self.rows.iter().filter_map(row).collect()
    }

    /// `run`, then each slice with its number of rows.
    fn header(&self, between: &str) -> Vec<String> {
        let name = |column: &crate::ComparisonColumn| {
            format!("{}{between}({} rows)", column.slice.as_str(), column.rows)
        };
        std::iter::once("run".to_owned()).chain(self.columns.iter().map(name)).collect()
    }

    fn with_interval(&self, cell: &TableCell, value: String, between: &str) -> String {
        match cell.estimate.interval {
            None => value,
            Some(Interval { low, high }) => {
                let [low, high] = [low, high].map(|end| number(self.metric, end));
                format!("{value}{between}[{low}, {high}]")
            }
        }
    }
}

fn facts_header() -> Vec<String> {
    std::iter::once("run").chain(RunFacts::LABELS).map(str::to_owned).collect()
}

/// A table for a terminal: the first column to the left, the others to the right.
pub(crate) fn text(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    // The table is not fitted to the terminal's width: the same table gives the same text anywhere.
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// A Markdown table: the first column to the left, the others to the right.
pub(crate) fn markdown(header: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "| {} |", header.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(header.len() - 1));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// The metric's name as a heading or the start of a sentence.
pub(crate) fn heading(metric: Metric) -> String {
    let mut chars = metric.label().chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Text escaped so that it cannot end a cell of a Markdown table.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// A number with its sign; a number that is shown as 0 has no minus.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    let is_zero = !text.contains(|digit: char| ('1'..='9').contains(&digit));
    if is_zero { text.replace('-', "+") } else { text }
}

/// A p-value as text. No p-value is 0, so that the smallest are shown as `< 0.001`.
pub(crate) fn p_text(p: f64) -> String {
    if p < 0.0005 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// An effect size: Cohen's h.
pub(crate) fn effect(value: f64) -> String {
    signed(value, 3)
}

/// The interval of an effect size.
pub(crate) fn bracketed_effects(interval: Interval) -> String {
    format!("[{}, {}]", effect(interval.low), effect(interval.high))
}

pub(crate) fn dash() -> String {
    "–".to_owned()
}

/// Shares in percent with one decimal, since their intervals are wider than that; other metrics with
/// three decimals.
fn number(metric: Metric, value: f64) -> String {
    if is_share(metric) { format!("{:.1}", 100.0 * value) } else { format!("{value:.3}") }
}

fn is_share(metric: Metric) -> bool {
    matches!(metric, Metric::Accuracy | Metric::MacroF1)
}
