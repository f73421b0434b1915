//! `sextant eval`.

mod errors;
mod ranking;
mod ranking_args;

use crate::arguments::{Overwrite, Reading};
use crate::say::{complain, say};
use crate::scoring::{Scoring, at_row};
use anyhow::{Context, bail};
use clap::Args;
use sextant_core::{Example, Prediction, Split};
use sextant_data::{DataError, Format, LabelledRows, Labels, LoadedDataset, Output, ReadOptions};
use sextant_eval::{Dataset as Evaluated, EvalOptions, EvalReport, Scored, evaluate};
use sextant_files::AtomicFile;
use sextant_infer::Scorer;
use sextant_score::write_predictions;
use std::io::Write;
use std::path::{Path, PathBuf};

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
        let page =
            self.errors.as_ref().map(|page| AtomicFile::create(page, existing)).transpose()?;
        let predictions = self.predictions.as_ref();
        let predictions =
            predictions.map(|path| Ok((Format::of(path)?, Output::open(path, existing)?)));
        let predictions = predictions.transpose().map_err(|error: DataError| error)?;
        let out = self.out.as_ref().map(|out| AtomicFile::create(out, existing)).transpose()?;
        let mut rows = self.rows(data)?;
        let scorer = self.scoring.open(bundle)?;
        let tasks = scorer.tasks();
        let all = rows.examples().len();
        rows.retain(|example| tasks.contains(&example.pair.task));
        let left = rows.examples().len();
        if all == 0 {
            let split = self.split.unwrap_or(Split::Test);
            bail!("{}: there are no {split} rows; `--split` names another part", data.display());
        }
        if left == 0 {
            bail!("{}: no rows of the tasks that the model knows", data.display());
        }
        if left < all {
            complain(&format!("{} rows of other tasks left out", all - left));
        }
        let name = data.display().to_string();
        let answers = predicted(&scorer, rows.examples(), |row| rows.origin(row))?;
        let report = evaluated(&scored(rows.examples(), answers.clone()), &name)?;
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

    /// The rows of the split: of a folder, or of a file whose rows state their split. A file without
    /// splits is taken as a whole.
    fn rows(&self, data: &Path) -> anyhow::Result<LabelledRows> {
        let further = self.predictions.is_some() || self.errors.is_some();
        let options = ReadOptions { further, ..self.reading.options(Labels::Required) };
        let split = self.split.unwrap_or(Split::Test);
        if data.is_dir() {
            return Ok(LoadedDataset::load(data, &options)?.into_part(split));
        }
        let mut rows = LabelledRows::read(data, &options)?;
        if rows.examples().iter().any(|example| example.split.is_some()) {
            if let Some(row) = rows.examples().iter().position(|row| row.split.is_none()) {
                bail!(
                    "{}: the row says no split, but others do; give every row one",
                    rows.origin(row)
                );
            }
            rows.retain(|example| example.split == Some(split));
        } else if self.split.is_some() {
            bail!("{}: no row says its split; leave --split out", data.display());
        }
        Ok(rows)
    }
}

/// Predicts examples. `origin` says in errors where the example at an index comes from.
fn predicted(
    scorer: &Scorer,
    examples: &[Example],
    origin: impl FnOnce(usize) -> String,
) -> anyhow::Result<Vec<Prediction>> {
    let pairs: Vec<_> = examples.iter().map(|example| example.pair.clone()).collect();
    scorer.predict(&pairs).map_err(|error| at_row(error, origin, &pairs))
}

/// Examples beside what was predicted for them.
pub(crate) fn scored(examples: &[Example], predictions: Vec<Prediction>) -> Vec<Scored<'_>> {
    let pairs = examples.iter().zip(predictions);
    pairs.map(|(example, prediction)| Scored::of(example, prediction)).collect()
}

/// The full report on scored rows.
pub(crate) fn evaluated(rows: &[Scored<'_>], name: &str) -> anyhow::Result<EvalReport> {
    let dataset = Some(Evaluated { name: name.to_owned(), sha256: None });
    Ok(evaluate(rows, &EvalOptions { dataset, ..EvalOptions::full() })?)
}
