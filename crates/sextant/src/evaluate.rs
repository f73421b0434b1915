//! `sextant eval`.

mod errors;
mod ranking;
mod ranking_args;

use crate::arguments::{Overwrite, Reading};
use crate::say::{complain, say};
use crate::scoring::Scoring;
use anyhow::{Context, bail};
use clap::Args;
use sextant_core::Split;
use sextant_data::{DataError, DataFiles, Format, Labels, Output, ReadOptions};
use sextant_files::AtomicFile;
use sextant_lab::{full_report, labelled_rows, predict_labelled, retain_tasks, scored};
use sextant_score::write_predictions;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// `eval`
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// The bundle or the ensemble
    #[arg(required_unless_present = "run")]
    bundle: Option<PathBuf>,
    /// Labelled rows: a data set, or a file; with `--qrels`, rows need no label
    #[arg(required_unless_present = "run")]
    data: Option<PathBuf>,
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
    /// Write the rows with their predictions; the format by the extension
    #[arg(long, conflicts_with = "qrels")]
    predictions: Option<PathBuf>,
    /// Write a page about the errors: confident mistakes, likely wrong labels, the worst slices
    #[arg(long, value_name = "HTML", conflicts_with = "qrels")]
    errors: Option<PathBuf>,
    #[command(flatten)]
    ranking: ranking_args::RankingArgs,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Eval {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if let Some(run) = &self.ranking.run {
            return self.of_run(run);
        }
        let (Some(bundle), Some(data)) = (&self.bundle, &self.data) else {
            bail!("name a bundle and rows, or a run by --run");
        };
        if let Some(qrels) = &self.ranking.qrels {
            return self.of_ranking(bundle, data, qrels);
        }
        let existing = self.overwrite.existing();
        let outputs = [&self.errors, &self.predictions, &self.out];
        let parts = DataFiles::find(data).map(|found| found.parts).unwrap_or_default();
        for output in outputs.into_iter().flatten() {
            for source in parts.iter().map(|(_, part)| part).chain([data, bundle]) {
                self.overwrite.of(output, source)?;
            }
        }
        let page =
            self.errors.as_ref().map(|page| AtomicFile::create(page, existing)).transpose()?;
        let predictions = self.predictions.as_ref();
        let predictions =
            predictions.map(|path| Ok((Format::of(path)?, Output::open(path, existing)?)));
        let predictions = predictions.transpose().map_err(|error: DataError| error)?;
        let out = self.out.as_ref().map(|out| AtomicFile::create(out, existing)).transpose()?;
        let further = self.predictions.is_some() || self.errors.is_some();
        let options = ReadOptions { further, ..self.reading.options(Labels::Required) };
        let mut rows = labelled_rows(data, self.split, &options)?;
        let scorer = self.scoring.open(bundle)?;
        let left_out = retain_tasks(&mut rows, &scorer.tasks(), data)?;
        if left_out > 0 {
            complain(&format!("{left_out} rows of other tasks left out"));
        }
        let name = data.display().to_string();
        let answers = predict_labelled(&scorer, &rows, |_| ControlFlow::Continue(()))?;
        let report = full_report(&scored(rows.examples(), answers.clone()), &name)?;
        say(report.render_text().trim_end());
        if let Some(mut file) = out {
            file.write_all(report.to_json()?.as_bytes())
                .with_context(|| format!("cannot write {}", file.path().display()))?;
            file.commit()?;
        }
        if let Some((format, output)) = predictions {
            write_predictions(output, format, rows.examples(), &answers, &rows.columns())?;
        }
        if let Some(mut page) = page {
            let html = self.error_page(&rows, &answers, bundle)?;
            page.write_all(html.as_bytes())
                .with_context(|| format!("cannot write {}", page.path().display()))?;
            page.commit()?;
        }
        Ok(())
    }
}
