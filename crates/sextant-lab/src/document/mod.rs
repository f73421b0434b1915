//! A report as a document: sections of text, tables and plots, the same in every form.

mod accuracy;
mod behaviour;
mod differences;
mod files;
mod html;
mod markdown;
mod plot;
mod record;

pub use files::ReportFiles;

use crate::findings::{Column, Findings};
use crate::recipe::LabRecipe;
use crate::render::{bracketed_effects, dash, effect, p_text, signed};
use plot::Plot;
use serde::Serialize;
use sextant_eval::Estimate;

/// A report before it is HTML or Markdown.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    title: String,
    /// Paragraphs below the title.
    lead: Vec<String>,
    sections: Vec<Section>,
    /// What the whole is made of again: a recipe.
    recipe: String,
}

/// A chapter.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Section {
    id: &'static str,
    title: &'static str,
    /// What the numbers are.
    text: Vec<String>,
    plots: Vec<Plot>,
    tables: Vec<Table>,
}

/// A table.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Table {
    /// Names its CSV file.
    id: String,
    caption: String,
    header: Vec<String>,
    rows: Vec<Vec<Entry>>,
    /// Whether HTML shows it only when asked.
    folded: bool,
}

/// What stands in a table.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Entry {
    text: String,
    /// Below the text, smaller.
    detail: String,
    best: bool,
    /// Differs from the reference.
    significant: bool,
    /// Shade, from 0 to 1.
    shade: Option<f64>,
    /// Text rather than a number: stands to the left.
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

    /// An effect size with its interval; whether it is significant is for its test to say.
    fn effect(estimate: Estimate) -> Self {
        let detail = estimate.interval.map_or_else(String::new, bracketed_effects);
        Self { text: effect(estimate.value), detail, ..Self::default() }
    }
}

impl Section {
    fn new(id: &'static str, title: &'static str, text: &[&str]) -> Self {
        let text = text.iter().map(|&text| text.to_owned()).collect();
        Self { id, title, text, plots: Vec::new(), tables: Vec::new() }
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

/// The header of a table with a column for each task, after some first ones.
fn heads<'a>(first: &'a [&'a str], columns: &'a [Column]) -> impl Iterator<Item = String> + 'a {
    let first = first.iter().map(|&text| text.to_owned());
    first.chain(columns.iter().map(|column| format!("{} ({})", column.name(), column.rows)))
}

impl Document {
    /// Lays findings out.
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
        let mut sections = accuracy::sections(findings)?;
        sections.extend(behaviour::sections(findings)?);
        sections.extend(record::sections(findings));
        Ok(Self {
            title: findings.name.clone(),
            lead,
            sections,
            recipe: written(&findings.recipe)?,
        })
    }
}

/// A recipe as TOML.
fn written(recipe: &LabRecipe) -> Result<String, crate::LabError> {
    toml::to_string(recipe).map_err(|error| crate::LabError::Recipe(vec![error.to_string()]))
}
