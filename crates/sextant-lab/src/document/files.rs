//! A report's files: HTML, Markdown, JSON, a CSV for each table, and the ensembles as folders.

use super::{Document, Table};
use crate::LabError;
use crate::findings::{EnsembleRow, Findings};
use crate::run::Lab;
use sextant_data::DataError;
use sextant_files::{Existing, Lock, OwnFiles};
use sextant_infer::EnsembleManifest;
use std::io::Write;
use std::path::PathBuf;

/// The paths of a report's files, and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFiles {
    /// The report for a browser.
    pub html: PathBuf,
    /// The report for a terminal or a repository.
    pub markdown: PathBuf,
    /// Every number, for machines.
    pub json: PathBuf,
    /// The folder with a CSV for each table, and `scores.csv` with exact numbers.
    pub tables: PathBuf,
    /// The report's verdict in words, for a terminal.
    pub verdict: String,
}

impl ReportFiles {
    /// Writes a lab's report into its folder, in place of an earlier one. `existing` says whether files
    /// that the user wrote under the same names may be replaced. Ensembles are written into
    /// `ensembles/`.
    ///
    /// # Errors
    /// No run is finished, a file of the user's is in the way, or a file cannot be written. Each file
    /// appears whole or not at all.
    pub fn write(lab: &Lab, existing: Existing) -> Result<Self, LabError> {
        let findings = Findings::new(lab)?;
        let document = Document::new(&findings)?;
        let folder = lab.folder();
        let files = Self {
            html: folder.join("report.html"),
            markdown: folder.join("report.md"),
            json: folder.join("report.json"),
            tables: folder.join("tables"),
            verdict: document.verdict(),
        };
        let mut texts = vec![
            ("report.html".to_owned(), document.to_html()?),
            ("report.md".to_owned(), document.to_markdown()),
            ("report.json".to_owned(), serde_json::to_string_pretty(&findings)? + "\n"),
            ("tables/scores.csv".to_owned(), scores(&findings)?),
        ];
        for table in document.sections.iter().flat_map(|section| &section.tables) {
            let name = format!("tables/{}.csv", crate::cell::file_safe(&table.id));
            texts.push((name, csv_of(table)?));
        }
        let _lock = Lock::beside(&folder.join("report"))?;
        let mut own = OwnFiles::of(folder)?;
        own.admit(texts.iter().map(|(name, _)| name.as_str()), existing)?;
        std::fs::create_dir_all(&files.tables).map_err(LabError::io("create", &files.tables))?;
        for (name, text) in &texts {
            let mut file = own.create(name, existing)?;
            file.write_all(text.as_bytes())
                .map_err(|error| DataError::write(file.path(), error))?;
            file.commit()?;
        }
        for row in &findings.ensembles.rows {
            ensemble(lab, row, own.folder(&format!("ensembles/{}", row.name), existing)?)?;
        }
        Ok(files)
    }
}

/// Writes an ensemble of the report as a folder that `eval`, `score` and `compare` take: its members
/// are the runs' bundles.
fn ensemble(lab: &Lab, row: &EnsembleRow, existing: Existing) -> Result<(), LabError> {
    let folder = lab.folder().join("ensembles").join(&row.name);
    let bundles: Vec<PathBuf> =
        row.members.iter().flatten().map(|run| lab.run_folder(run).bundle()).collect();
    let mut manifest = EnsembleManifest::of(&bundles, row.rule, &folder)?;
    let runs = row.members.iter().zip(&row.weights);
    let weights = runs.flat_map(|(runs, &weight)| runs.iter().map(move |_| weight));
    for (member, weight) in manifest.members.iter_mut().zip(weights) {
        member.weight = weight;
    }
    Ok(manifest.write(&folder, existing)?)
}

/// The CSV of a table as it is shown, with intervals in columns of their own.
fn csv_of(table: &Table) -> Result<String, LabError> {
    let has_detail = |column: usize| {
        table.rows.iter().any(|row| row.get(column).is_some_and(|entry| !entry.detail.is_empty()))
    };
    let detailed: Vec<bool> = (0..table.header.len()).map(has_detail).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = table.header.iter().zip(&detailed).flat_map(|(name, &detail)| {
        let second = detail.then(|| format!("{name}: interval"));
        std::iter::once(name.clone()).chain(second)
    });
    writer.write_record(header)?;
    for row in &table.rows {
        let record = row.iter().zip(&detailed).flat_map(|(entry, &detail)| {
            let second = detail.then(|| entry.detail.clone());
            std::iter::once(entry.text.clone()).chain(second)
        });
        writer.write_record(record)?;
    }
    finished(writer)
}

/// The CSV of the headline table with exact numbers: a line for each system and column.
fn scores(findings: &Findings) -> Result<String, LabError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "system",
        "column",
        "rows",
        "seeds",
        "accuracy",
        "low",
        "high",
        "seed_deviation",
        "difference",
        "difference_low",
        "difference_high",
        "cohens_h",
        "cohens_h_low",
        "cohens_h_high",
        "p",
        "p_holm",
        "significant",
    ])?;
    let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for row in &findings.headline.rows {
        for (column, score) in findings.headline.columns.iter().zip(&row.scores) {
            let Some(score) = score else { continue };
            let interval = score.accuracy.interval;
            let apart = score.difference.and_then(|difference| difference.interval);
            let effect = score.cohens_h.and_then(|effect| effect.interval);
            writer.write_record([
                row.system.clone(),
                column.name().to_owned(),
                column.rows.to_string(),
                score.by_seed.len().to_string(),
                score.accuracy.value.to_string(),
                text(interval.map(|interval| interval.low)),
                text(interval.map(|interval| interval.high)),
                text(score.seed_deviation),
                text(score.difference.map(|difference| difference.value)),
                text(apart.map(|interval| interval.low)),
                text(apart.map(|interval| interval.high)),
                text(score.cohens_h.map(|effect| effect.value)),
                text(effect.map(|interval| interval.low)),
                text(effect.map(|interval| interval.high)),
                text(score.p_value),
                text(score.p_holm),
                score.significant.to_string(),
            ])?;
        }
    }
    finished(writer)
}

fn finished(writer: csv::Writer<Vec<u8>>) -> Result<String, LabError> {
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
