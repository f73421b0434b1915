//! A report as a document: sections of text, tables and plots, the same in every form.

mod accuracy;
mod affinity;
mod behaviour;
mod differences;
mod errors;
mod files;
mod forest;
mod glance;
mod html;
mod markdown;
mod plot;
mod record;
mod terminal;
mod training;
mod verdict;

pub use affinity::AffinityReport;
pub use errors::ErrorRow;
pub use files::ReportFiles;
pub use training::leave_curves;

use crate::findings::{AccuracyColumn, Findings};
use crate::recipe::LabRecipe;
use crate::render::{bracketed_effects, dash, effect, p_text, signed};
use plot::Plot;
use serde::Serialize;
use sextant_eval::Estimate;

/// A report before it is rendered as HTML or Markdown.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    title: String,
    /// What to make of it all, which comes before everything else.
    verdict: Option<Words>,
    /// Paragraphs below the title and the verdict.
    lead: Vec<String>,
    sections: Vec<Section>,
    /// The recipe that makes the report again, as TOML, where a lab made it.
    recipe: Option<String>,
}

/// A verdict in words.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Words {
    /// The verdict in a sentence.
    headline: String,
    /// What is to be said about it: headings with sentences.
    statements: Vec<(&'static str, Vec<String>)>,
}

/// Plots that are shown only when they are unfolded.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FoldedPlots {
    caption: String,
    plots: Vec<Plot>,
}

/// A chapter.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Section {
    id: &'static str,
    title: &'static str,
    /// Paragraphs that explain the numbers.
    text: Vec<String>,
    plots: Vec<Plot>,
    more_plots: Option<FoldedPlots>,
    tables: Vec<Table>,
}

/// A table.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Table {
    /// The name of the table's CSV file.
    id: String,
    caption: String,
    header: Vec<String>,
    rows: Vec<Vec<Entry>>,
    /// Whether the HTML shows the table only when it is unfolded.
    folded: bool,
}

/// A cell of a table, as text.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Entry {
    text: String,
    /// Further text, shown smaller below the main text.
    detail: String,
    best: bool,
    /// Whether the cell is marked with a †.
    significant: bool,
    /// The strength of the background's shade, from 0 to 1.
    shade: Option<f64>,
    /// Whether the cell is text, which is aligned to the left, rather than a number.
    word: bool,
}

impl Entry {
    fn word(text: impl Into<String>) -> Self {
        Self { text: text.into(), word: true, ..Self::default() }
    }

    fn number(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn missing() -> Self {
        Self::number(dash())
    }

    /// A share in percent with its interval.
    fn percent(estimate: Estimate) -> Self {
        let detail = estimate.interval.map_or_else(String::new, |interval| {
            format!("[{}, {}]", percent(interval.low), percent(interval.high))
        });
        Self { text: percent(estimate.value), detail, ..Self::default() }
    }

    /// A difference in percentage points with its interval.
    fn points(estimate: Estimate) -> Self {
        let detail = estimate.interval.map_or_else(String::new, |interval| {
            format!("[{}, {}]", points(interval.low), points(interval.high))
        });
        let significant =
            estimate.interval.is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0);
        Self { text: points(estimate.value), detail, significant, ..Self::default() }
    }

    /// An effect size with its interval. It is never marked: whether the difference is significant is
    /// decided by the difference's own test.
    fn effect(estimate: Estimate) -> Self {
        let detail = estimate.interval.map_or_else(String::new, bracketed_effects);
        Self { text: effect(estimate.value), detail, ..Self::default() }
    }
}

impl Section {
    fn new(id: &'static str, title: &'static str, text: &[&str]) -> Self {
        let text = text.iter().map(|&text| text.to_owned()).collect();
        Self { id, title, text, plots: Vec::new(), more_plots: None, tables: Vec::new() }
    }
}

fn percent(value: f64) -> String {
    format!("{:.1}", 100.0 * value)
}

fn points(value: f64) -> String {
    signed(100.0 * value, 1)
}

/// A p-value as people read it.
fn p_value(p: Option<f64>) -> Entry {
    p.map_or_else(Entry::missing, |p| Entry::number(p_text(p)))
}

/// The headings of a table: the `first` ones, then one for each of the columns.
fn heads<'a>(
    first: &'a [&'a str],
    columns: &'a [AccuracyColumn],
) -> impl Iterator<Item = String> + 'a {
    let first = first.iter().map(|&text| text.to_owned());
    first.chain(columns.iter().map(|column| format!("{} ({})", column.name(), column.rows)))
}

impl Document {
    /// Lays out findings as a document.
    ///
    /// # Errors
    /// A plot that cannot be drawn, or a recipe that cannot be written.
    pub fn new(findings: &Findings) -> Result<Self, crate::LabError> {
        let (runs, finished) = findings.runs;
        let mut lead: Vec<String> = findings
            .introduction
            .split("\n\n")
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect();
        lead.push(format!(
            "{finished} of {runs} runs finished. Sextant {}. Data set `{}`, {} rows. Intervals: 95 %, {} bootstrap resamples of groups of test rows.",
            findings.code, findings.data.name, findings.data.rows, findings.replicates
        ));
        if finished < runs {
            lead.push("The grid is not finished: means may be over different numbers of seeds, as the tables say.".into());
        }
        let mut sections = glance::sections(findings)?;
        sections.extend(training::section(findings)?);
        sections.extend(accuracy::sections(findings)?);
        sections.extend(affinity::section(&findings.affinities));
        sections.extend(behaviour::sections(findings)?);
        sections.extend(record::sections(findings));
        Ok(Self {
            title: findings.name.clone(),
            verdict: verdict::words(findings),
            lead,
            sections,
            recipe: Some(written(&findings.recipe)?),
        })
    }
}

/// A recipe as TOML.
fn written(recipe: &LabRecipe) -> Result<String, crate::LabError> {
    toml::to_string(recipe).map_err(|error| crate::LabError::Recipe(vec![error.to_string()]))
}
