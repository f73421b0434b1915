//! `sextant eval`.

use crate::arguments::{Overwrite, Reading};
use crate::say::{complain, say};
use crate::scoring::{Scoring, at_row};
use anyhow::{Context, bail};
use clap::Args;
use sextant_core::{Example, Prediction, Split};
use sextant_data::{LabelledRows, Labels, LoadedDataset};
use sextant_eval::{Dataset as Evaluated, EvalOptions, EvalReport, Scored, evaluate};
use sextant_files::AtomicFile;
use sextant_infer::Scorer;
use std::io::Write;
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
        let mut rows = self.rows()?;
        let scorer = self.scoring.open(&self.bundle)?;
        let tasks = scorer.tasks();
        let all = rows.examples().len();
        rows.retain(|example| tasks.contains(&example.pair.task));
        let left = rows.examples().len();
        if all == 0 {
            let split = self.split.unwrap_or(Split::Test);
            bail!(
                "{}: there are no {split} rows; `--split` names another part",
                self.data.display()
            );
        }
        if left == 0 {
            bail!("{}: no rows of the tasks that the model knows", self.data.display());
        }
        if left < all {
            complain(&format!("{} rows of other tasks left out", all - left));
        }
        let name = self.data.display().to_string();
        let report = report(&scorer, rows.examples(), &name, |row| rows.origin(row))?;
        say(report.render_text().trim_end());
        if let Some(mut file) = out {
            file.write_all(report.to_json()?.as_bytes())
                .with_context(|| format!("cannot write {}", file.path().display()))?;
            file.commit()?;
        }
        Ok(())
    }

    /// The rows of the split: of a folder, or of a file whose rows state their split. A file without
    /// splits is taken as a whole.
    fn rows(&self) -> anyhow::Result<LabelledRows> {
        let (options, split) =
            (self.reading.options(Labels::Required), self.split.unwrap_or(Split::Test));
        if self.data.is_dir() {
            return Ok(LoadedDataset::load(&self.data, &options)?.into_part(split));
        }
        let mut rows = LabelledRows::read(&self.data, &options)?;
        if rows.examples().iter().any(|example| example.split.is_some()) {
            if let Some(row) = rows.examples().iter().position(|row| row.split.is_none()) {
                bail!(
                    "{}: the row says no split, but others do; give every row one",
                    rows.origin(row)
                );
            }
            rows.retain(|example| example.split == Some(split));
        } else if self.split.is_some() {
            bail!("{}: no row says its split; leave --split out", self.data.display());
        }
        Ok(rows)
    }
}

/// Predicts labelled examples and evaluates the predictions. `origin` says in errors where the example at
/// an index comes from.
pub(crate) fn report(
    scorer: &Scorer,
    examples: &[Example],
    name: &str,
    origin: impl FnOnce(usize) -> String,
) -> anyhow::Result<EvalReport> {
    let pairs: Vec<_> = examples.iter().map(|example| example.pair.clone()).collect();
    let predictions = scorer.predict(&pairs).map_err(|error| at_row(error, origin, &pairs))?;
    evaluated(&scored(examples, predictions), name)
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
