//! `sextant score`.

use crate::arguments::{Overwrite, Reading};
use crate::interrupt;
use crate::progress::RowProgress;
use crate::say::{complain, is_closed_pipe, say};
use crate::scoring::Scoring;
use clap::Args;
use sextant_data::{Format, Labels};
use sextant_score::{ScoreOptions, score_file};
use std::io;
use std::path::{Path, PathBuf};

/// `score`
#[derive(Debug, Args)]
pub(crate) struct Score {
    /// The bundle or the ensemble
    bundle: PathBuf,
    /// Pairs in JSONL, CSV, TSV or Parquet: a file, `-` for standard input, a folder of parts, or a
    /// pattern such as 'part-*.parquet'
    input: PathBuf,
    /// The same rows with grade, score and probabilities added; the format by its extension, `-` for
    /// standard output
    output: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    reading: Reading,
    /// The format of output whose name does not say it: jsonl, csv, tsv or parquet
    #[arg(long)]
    output_format: Option<Format>,
    #[command(flatten)]
    scoring: Scoring,
    /// Skip rows that cannot be read, scored or written, and say which
    #[arg(long)]
    skip_bad: bool,
}

impl Score {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let existing = self.overwrite.existing();
        existing.check(&self.output)?;
        let scorer = self.scoring.open(&self.bundle)?;
        interrupt::install()?;
        let options = ScoreOptions {
            read: self.reading.options(Labels::Optional),
            output_format: self.output_format,
            existing,
            skip_bad: self.skip_bad,
            ..ScoreOptions::default()
        };
        let to_output = self.output == Path::new("-");
        let mut progress = RowProgress::new("scored");
        let report = score_file(&scorer, &self.input, &self.output, &options, |rows| {
            progress.add(rows);
            interrupt::flow()
        });
        progress.finish();
        let report = match report.map_err(anyhow::Error::from) {
            // The reader of the output took what it wanted and closed the pipe (`| head`).
            Err(error) if to_output && ended_early(&error) => return Ok(()),
            report => report?,
        };
        report.problems.iter().for_each(|problem| complain(&format!("skipped: {problem}")));
        let summary = format!(
            "{}: {} rows scored, {} skipped, {} truncated",
            self.output.display(),
            report.rows,
            report.skipped,
            report.cut.cut_rows
        );
        if to_output {
            complain(&summary);
        } else {
            say(&summary);
        }
        Ok(())
    }
}

fn ended_early(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(is_closed_pipe)
}
