//! A report as a table for the terminal.

use crate::{Estimate, Estimates, EvalReport, Interval, Metric, TaskMetrics};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use sextant_core::Grade;
use std::fmt::Write;

/// The metrics of the main table; the JSON has more.
const COLUMNS: [Metric; 7] = [
    Metric::Accuracy,
    Metric::MacroF1,
    Metric::QuadraticKappa,
    Metric::Mae,
    Metric::LogLoss,
    Metric::Ece,
    Metric::NdcgAt10,
];

impl EvalReport {
    /// Tables for a terminal: each task, all rows pooled and the mean over tasks; then each grade
    /// and the confusion matrix of the pooled rows. Intervals are shown for accuracy and macro-F1
    /// only, to keep lines short; the JSON has all. Undefined numbers are a dash.
    pub fn render_text(&self) -> String {
        let mut text = String::new();
        if let Some(dataset) = &self.dataset {
            let _ = writeln!(text, "{}", dataset.name);
        }
        let columns: Vec<Metric> =
            COLUMNS.into_iter().filter(|metric| self.pooled.metrics.contains_key(metric)).collect();
        let mut header = vec!["task", "rows", "groups"];
        let labels: Vec<String> = columns.iter().map(|&metric| label(metric)).collect();
        header.extend(labels.iter().map(String::as_str));
        let mut table = table(&header);
        let mut add = |name: &str, size: [String; 2], estimates: &Estimates| {
            let numbers = columns
                .iter()
                .map(|&metric| number(metric, estimates.get(&metric).copied().flatten()));
            table.add_row([name.to_owned()].into_iter().chain(size).chain(numbers));
        };
        let size = |metrics: &TaskMetrics| [metrics.rows.to_string(), metrics.groups.to_string()];
        for (task, metrics) in &self.tasks {
            add(task.as_str(), size(metrics), &metrics.metrics);
        }
        add("all rows", size(&self.pooled), &self.pooled.metrics);
        add("mean of tasks", [String::new(), String::new()], &self.macro_average);
        let _ = writeln!(text, "{}", table.trim_fmt());
        if let Some(bootstrap) = &self.bootstrap {
            let _ = writeln!(
                text,
                "[low, high]: {} % interval, {} resamples of groups, seed {}",
                bootstrap.level * 100.0,
                bootstrap.replicates,
                bootstrap.seed
            );
        }
        let _ = writeln!(text, "\nall rows by grade\n{}", grades(&self.pooled).trim_fmt());
        text
    }
}

/// One row per true grade: how well it is found, and what was predicted for its rows.
fn grades(metrics: &TaskMetrics) -> Table {
    let predicted = Grade::ALL.map(|grade| format!("predicted {grade}"));
    let mut header = vec!["true grade", "precision %", "recall %", "F1 %", "rows"];
    header.extend(predicted.iter().map(String::as_str));
    let mut table = table(&header);
    for class in &metrics.classes {
        let ratios = [class.precision, class.recall, class.f1].map(|ratio| percent(ratio.value));
        let counts = metrics.confusion[class.grade.index()].map(weight);
        table.add_row(
            [class.grade.to_string()]
                .into_iter()
                .chain(ratios)
                .chain([weight(class.support)])
                .chain(counts),
        );
    }
    table
}

/// A table whose first column is text and whose others are numbers.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    // The table is not fitted to the terminal's width: the same report gives the same text anywhere.
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A share as a percentage with two digits and its interval; any other metric with three decimals.
fn number(metric: Metric, estimate: Option<Estimate>) -> String {
    let Some(estimate) = estimate else { return "–".to_owned() };
    if !is_share(metric) {
        return format!("{:.3}", estimate.value);
    }
    let value = percent(estimate.value);
    match estimate.interval {
        None => value,
        Some(Interval { low, high }) => format!("{value} [{}, {}]", percent(low), percent(high)),
    }
}

fn label(metric: Metric) -> String {
    let unit = if is_share(metric) { " %" } else { "" };
    format!("{}{unit}", metric.label())
}

fn is_share(metric: Metric) -> bool {
    matches!(metric, Metric::Accuracy | Metric::MacroF1)
}

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

/// A number of rows; with a decimal if it is not whole, as when rows have weights other than 1.
fn weight(rows: f64) -> String {
    if rows.fract() == 0.0 { format!("{rows}") } else { format!("{rows:.1}") }
}
