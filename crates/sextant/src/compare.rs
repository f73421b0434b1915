//! `sextant compare`: runs side by side on the same rows.

use crate::arguments::{Overwrite, Reading};
use crate::say::say;
use crate::scoring::Scoring;
use anyhow::{Context, bail};
use clap::Args;
use sextant_core::Split;
use sextant_data::{Labels, LoadedDataset};
use sextant_eval::Metric;
use sextant_files::AtomicFile;
use sextant_lab::{Compared, NamedModel, Report};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// `compare`
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Folders of runs or ensembles, the reference first; `NAME=FOLDER,FOLDER,…` puts models of different tasks
    /// together as one, as single-task baselines; `FOLDER@int8` predicts in that precision
    #[arg(required = true)]
    runs: Vec<String>,
    /// A data set, on whose rows all are evaluated
    #[arg(long)]
    data: PathBuf,
    /// The part of the data set
    #[arg(long, default_value_t = Split::Test)]
    split: Split,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
    /// The report's heading
    #[arg(long, default_value = "Runs compared")]
    title: String,
    /// Write the report as Markdown, and the headline table as CSV beside it
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Compare {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if let Some(out) = &self.out
            && out.extension().is_none_or(|extension| extension != "md")
        {
            bail!(
                "--out {}: the report is Markdown, with a CSV file beside it; name it .md",
                out.display()
            );
        }
        let existing = self.overwrite.existing();
        let files = self.out.as_ref().map(|out| {
            let [report, table] = [out.clone(), out.with_extension("csv")];
            anyhow::Ok((
                AtomicFile::create(report, existing)?,
                AtomicFile::create(table, existing)?,
            ))
        });
        let files = files.transpose()?;
        let options = self.reading.options(Labels::Required);
        let loaded = LoadedDataset::load(&self.data, &options)?;
        let models = self.runs.iter().map(|text| NamedModel::parse(text));
        let models = models.collect::<Result<Vec<_>, _>>()?;
        let path = self.data.display().to_string();
        let on = self.scoring.on();
        let mut go_on = |_| ControlFlow::Continue(());
        let Compared { comparison, paired } =
            Compared::new(&models, (&loaded, &path), self.split, on, &mut go_on)?;
        let table = comparison.table(Metric::Accuracy);
        say(&format!("{}\n{}", table.to_text(), table.facts_to_text()));
        if let Some(paired) = &paired {
            say(&paired.to_text());
        }
        let Some((report_file, mut csv)) = files else { return Ok(()) };
        let report = Report {
            title: self.title,
            metrics: Report::METRICS.to_vec(),
            paired,
            ..Report::default()
        };
        report.write(&comparison, report_file)?;
        csv.write_all(table.to_csv()?.as_bytes())
            .with_context(|| format!("cannot write {}", csv.path().display()))?;
        Ok(csv.commit()?)
    }
}
