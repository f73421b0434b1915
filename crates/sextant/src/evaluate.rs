//! `sextant eval`.

use crate::arguments::{Overwrite, Reading};
use crate::say::{complain, say};
use crate::scoring::Scoring;
use anyhow::Context;
use clap::Args;
use sextant_core::Split;
use sextant_data::Labels;
use sextant_files::AtomicFile;
use sextant_lab::{evaluate_rows, labelled_rows, retain_tasks};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// `eval`
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// The bundle or the ensemble
    bundle: PathBuf,
    /// Labelled rows: a data set, or a file
    data: PathBuf,
    /// Which part of a data set: train, dev or test, which is the default
    #[arg(long)]
    split: Option<Split>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
    /// Write the report as JSON
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Eval {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let existing = self.overwrite.existing();
        let out = self.out.as_ref().map(|out| AtomicFile::create(out, existing)).transpose()?;
        let options = self.reading.options(Labels::Required);
        let mut rows = labelled_rows(&self.data, self.split, &options)?;
        let scorer = self.scoring.open(&self.bundle)?;
        let left_out = retain_tasks(&mut rows, &scorer.tasks(), &self.data)?;
        if left_out > 0 {
            complain(&format!("{left_out} rows of other tasks left out"));
        }
        let name = self.data.display().to_string();
        let report = evaluate_rows(&scorer, &rows, &name, |_| ControlFlow::Continue(()))?;
        say(report.render_text().trim_end());
        if let Some(mut file) = out {
            file.write_all(report.to_json()?.as_bytes())
                .with_context(|| format!("cannot write {}", file.path().display()))?;
            file.commit()?;
        }
        Ok(())
    }
}
