//! `sextant score`.

use crate::cli::Reading;
use crate::say::{complain, say};
use crate::scoring::Scoring;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sextant_data::Labels;
use sextant_score::{ScoreOptions, score_file};
use std::path::PathBuf;

/// `score`
#[derive(Debug, Args)]
pub(crate) struct Score {
    /// The bundle or the ensemble
    bundle: PathBuf,
    /// Pairs: JSONL, CSV, TSV or Parquet
    input: PathBuf,
    /// The same rows with grade, score and probabilities; the format by its extension
    output: PathBuf,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
    /// Pass over rows that cannot be read, and say which
    #[arg(long)]
    skip_bad: bool,
}

impl Score {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let scorer = self.scoring.open(&self.bundle)?;
        let options = ScoreOptions {
            read: self.reading.options(Labels::Optional),
            skip_bad: self.skip_bad,
            ..ScoreOptions::default()
        };
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} rows {per_sec} {elapsed}")
        {
            bar.set_style(style);
        }
        let report = score_file(&scorer, &self.input, &self.output, &options, |rows| {
            bar.inc(rows as u64);
        })?;
        bar.finish_and_clear();
        report.problems.iter().for_each(|problem| complain(&format!("skipped: {problem}")));
        say(&format!(
            "{}: {} rows scored, {} skipped, {} truncated",
            self.output.display(),
            report.rows,
            report.skipped,
            report.cut.cut_rows
        ));
        Ok(())
    }
}
