//! A report as a table for the terminal.

use crate::{Estimate, Estimates, EvalReport, Metric, TaskMetrics};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use sextant_core::Grade;
use std::fmt::Write;

/// The metrics of the main table; the JSON has all.
const COLUMNS: [Metric; 8] = [
    Metric::Accuracy,
    Metric::MacroF1,
    Metric::QuadraticKappa,
    Metric::Mae,
    Metric::Rmse,
    Metric::LogLoss,
    Metric::Ece,
    Metric::NdcgAt10,
];

impl EvalReport {
    /// Tables for a terminal: each task, all rows pooled and the mean over tasks; then each grade
    /// and the confusion matrix of the pooled rows. Undefined numbers are a dash.
    pub fn render_text(&self) -> String {
        let mut text = String::new();
        if let Some(dataset) = &self.dataset {
            let _ = writeln!(text, "{}", dataset.name);
        }
        let columns: Vec<Metric> =
            COLUMNS.into_iter().filter(|metric| self.pooled.metrics.contains_key(metric)).collect();
        let mut header = vec!["task", "rows", "groups"];
        header.extend(columns.iter().map(|metric| metric.label()));
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
        let _ = writeln!(text, "{table}");
        if let Some(bootstrap) = &self.bootstrap {
            let _ = writeln!(
                text,
                "[low, high]: {} % interval, {} resamples of groups, seed {}",
                bootstrap.level * 100.0,
                bootstrap.replicates,
                bootstrap.seed
            );
        }
        let _ = writeln!(text, "\nall rows by grade\n{}", grades(&self.pooled));
        text
    }
}

/// One row per true grade: how well it is found, and what was predicted for its rows.
fn grades(metrics: &TaskMetrics) -> Table {
    let predicted = Grade::ALL.map(|grade| format!("predicted {grade}"));
    let mut header = vec!["true grade", "precision", "recall", "F1", "rows"];
    header.extend(predicted.iter().map(String::as_str));
    let mut table = table(&header);
    for class in &metrics.classes {
        let ratios = [class.precision, class.recall, class.f1].map(|ratio| percent(&ratio));
        let counts = metrics.confusion[class.grade.index()].map(|count| count.to_string());
        table.add_row(
            [class.grade.to_string()]
                .into_iter()
                .chain(ratios)
                .chain([class.support.to_string()])
                .chain(counts),
        );
    }
    table
}

/// A table whose first column is text and whose others are numbers.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    // Not fitted to the terminal's width: the same report gives the same text anywhere.
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Shares as percentages with two digits, all else with three decimals.
fn number(metric: Metric, estimate: Option<Estimate>) -> String {
    match (metric, estimate) {
        (_, None) => "–".to_owned(),
        (Metric::Accuracy | Metric::MacroF1, Some(estimate)) => percent(&estimate),
        (_, Some(Estimate { value, interval })) => match interval {
            None => format!("{value:.3}"),
            Some(interval) => format!("{value:.3} [{:.3}, {:.3}]", interval.low, interval.high),
        },
    }
}

fn percent(estimate: &Estimate) -> String {
    let value = 100.0 * estimate.value;
    match estimate.interval {
        None => format!("{value:.2} %"),
        Some(interval) => {
            format!("{value:.2} % [{:.2}, {:.2}]", 100.0 * interval.low, 100.0 * interval.high)
        }
    }
}
