//! `sextant consistency`: how often models contradict themselves.

use crate::arguments::Reading;
use crate::say::say;
use crate::scoring::Scoring;
use anyhow::ensure;
use clap::Args;
use sextant_core::{Grade, Split};
use sextant_data::{Labels, LoadedDataset};
use sextant_eval::{Bootstrap, Consistency, PairSource, RowMean, Triples};
use sextant_lab::NamedModel;
use std::ops::ControlFlow;

/// `consistency`
#[derive(Debug, Args)]
pub(crate) struct ConsistencyCommand {
    /// Folders as `compare` takes them; `NAME=FOLDER,FOLDER,…` puts models of different tasks together
    #[arg(required = true)]
    runs: Vec<String>,
    /// A data set, of whose rows triples are made
    #[arg(long)]
    data: std::path::PathBuf,
    /// The part of the data set
    #[arg(long, default_value_t = Split::Test)]
    split: Split,
    /// The most triples of each kind; where there are more, they are drawn evenly
    #[arg(long, default_value_t = 2000)]
    triples: usize,
    /// The seed with which they are drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
}

impl ConsistencyCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let loaded = LoadedDataset::load(&self.data, &self.reading.options(Labels::Required))?;
        let triples = Triples::of(loaded.dataset.part(self.split), self.triples, self.seed);
        ensure!(
            !triples.pairs.is_empty(),
            "{}: no {} rows share an entity so that they make a triple (query, product, type) or \
             (query, query, product); try another split, or --triples above 0",
            self.data.display(),
            self.split
        );
        say(&format!("{} pairs to score", triples.pairs.len()));
        let row = |row| loaded.origin(self.split, row);
        let origin = |pair: usize| match triples.sources[pair] {
            PairSource::Row(at) => row(at),
            PairSource::Entities { left, right } => {
                format!("an entity of {} with one of {}", row(left), row(right))
            }
        };
        for text in &self.runs {
            let model = NamedModel::parse(text)?;
            let mut go_on = |_| ControlFlow::Continue(());
            let predictions =
                model.predict(&triples.pairs, &origin, self.scoring.on(), &mut go_on)?;
            let grades: Vec<Grade> =
                predictions.iter().map(sextant_core::Prediction::grade).collect();
            for found in triples.consistency(&grades, &Bootstrap::default())? {
                say(&format!("{}: {}", model.name, line(&found)));
            }
        }
        Ok(())
    }
}

fn line(found: &Consistency) -> String {
    let kind = found.kind.tasks().map(sextant_core::Task::as_str);
    let of_relevant = found.of_relevant.as_ref().map_or_else(
        || "none with two relevant pairs".to_owned(),
        |mean| format!("{} of {} with two relevant pairs", share(mean), mean.rows),
    );
    format!(
        "{} triples ({}): {} contradictory; {of_relevant}; irrelevant is {}",
        found.contradictory.rows,
        kind.join(", "),
        share(&found.contradictory),
        kind.iter().zip(found.odd).map(|(k, n)| format!("{k} {n}")).collect::<Vec<_>>().join(", ")
    )
}

/// A share in percent with its interval.
fn share(mean: &RowMean) -> String {
    let value = format!("{:.2} %", 100.0 * mean.mean.value);
    mean.mean.interval.map_or(value.clone(), |interval| {
        format!("{value} [{:.2}, {:.2}]", 100.0 * interval.low, 100.0 * interval.high)
    })
}
