//! `sextant eval`.

use crate::cli::Reading;
use crate::machine::say;
use anyhow::{Context, bail};
use burn::tensor::Device;
use clap::Args;
use sextant_core::{Example, Split};
use sextant_data::{AtomicFile, Dataset, read_examples};
use sextant_eval::{Dataset as Evaluated, EvalOptions, EvalReport, Scored, evaluate};
use sextant_kernels::ScorePrecision;
use sextant_model::{Predictor, bundle};
use std::io::Write;
use std::path::PathBuf;

/// `eval`
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// The bundle
    bundle: PathBuf,
    /// Labelled rows: a data set, or a file
    data: PathBuf,
    /// Which part of a data set
    #[arg(long, default_value_t = Split::Test)]
    split: Split,
    #[command(flatten)]
    reading: Reading,
    /// Precision of the products: f32, bf16 or int8
    #[arg(long, default_value_t = ScorePrecision::F32)]
    precision: ScorePrecision,
    /// Write the report as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Eval {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let options = self.reading.options(true);
        let mut examples = if self.data.is_dir() {
            Dataset::load(&self.data, &options)?.part(self.split).to_vec()
        } else {
            read_examples(&self.data, &options)?
        };
        let predictor = Predictor::new(bundle::open(&self.bundle, &Device::flex())?)
            .with_precision(self.precision);
        let tasks = &predictor.model().spec().tasks;
        examples.retain(|example| tasks.contains(&example.pair.task));
        if examples.is_empty() {
            bail!("{}: no rows of the tasks that the model knows", self.data.display());
        }
        let report = report(&predictor, &examples, &self.data.display().to_string())?;
        say(report.render_text().trim_end());
        if let Some(out) = self.out {
            let mut file = AtomicFile::create(&out)?;
            file.write_all(report.to_json()?.as_bytes())
                .with_context(|| format!("cannot write {}", out.display()))?;
            file.commit()?;
        }
        Ok(())
    }
}

/// Predicts labelled examples and evaluates the predictions.
pub(crate) fn report(
    predictor: &Predictor,
    examples: &[Example],
    name: &str,
) -> anyhow::Result<EvalReport> {
    let pairs: Vec<_> = examples.iter().map(|example| example.pair.clone()).collect();
    let predictions = predictor.predict(&pairs)?;
    let scored: Vec<_> = examples
        .iter()
        .zip(predictions)
        .map(|(example, prediction)| Scored::of(example, prediction))
        .collect();
    let dataset = Some(Evaluated { name: name.to_owned(), sha256: None });
    Ok(evaluate(&scored, &EvalOptions { dataset, ..EvalOptions::full() })?)
}
