//! `sextant ensemble`: several bundles as one model.

use crate::arguments::{Overwrite, Reading};
use crate::say::say;
use crate::scoring::{Scoring, answer_dev, bundle_at};
use anyhow::{Context, ensure};
use clap::Args;
use sextant_core::{Grade, Split};
use sextant_data::{Labels, LoadedDataset};
use sextant_eval::Vote;
use sextant_infer::EnsembleManifest;
use sextant_lab::fit_weights;
use std::path::PathBuf;

/// `ensemble`
#[derive(Debug, Args)]
pub(crate) struct Ensemble {
    /// Bundles, or folders of runs; each answers the tasks that it knows
    #[arg(required = true)]
    members: Vec<PathBuf>,
    /// How answers are put together: majority, soft, weighted or rrf
    #[arg(long, default_value_t = Vote::Soft)]
    rule: Vote,
    /// A data set on whose dev rows weights are fitted: for `--rule weighted`
    #[arg(long)]
    data: Option<PathBuf>,
    /// The ensemble's folder
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
}

impl Ensemble {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let existing = self.overwrite.existing();
        existing.check(&self.out)?;
        ensure!(
            (self.rule == Vote::Weighted) == self.data.is_some(),
            "`--rule weighted` needs `--data`, on whose dev rows weights are fitted; other rules fit nothing"
        );
        let bundles: Vec<PathBuf> = self.members.iter().map(|path| bundle_at(path)).collect();
        let mut manifest = EnsembleManifest::of(&bundles, self.rule, &self.out)?;
        if let Some(data) = &self.data {
            let loaded = LoadedDataset::load(data, &self.reading.options(Labels::Required))?;
            let dev = loaded.dataset.require(Split::Dev)?;
            let grades: Vec<Grade> = dev.iter().map(|example| example.grade).collect();
            let mut answers = Vec::new();
            for path in &bundles {
                answers.push(answer_dev(&self.scoring.open(path)?, &loaded, path)?);
            }
            for (member, weight) in manifest.members.iter_mut().zip(fit_weights(&answers, &grades))
            {
                member.weight = weight;
            }
            manifest.provenance = serde_json::json!({
                "weights": "largest likelihood of the dev rows' grades",
                "data": data, "dev_rows": dev.len(),
            });
        }
        manifest.write(&self.out, existing).with_context(|| format!("{}", self.out.display()))?;
        let mut tasks: Vec<_> = manifest.members.iter().flat_map(|m| m.tasks.clone()).collect();
        tasks.sort_unstable();
        tasks.dedup();
        say(&format!(
            "{}: {} members, {} tasks, rule {}",
            self.out.display(),
            manifest.members.len(),
            tasks.len(),
            self.rule
        ));
        for member in manifest.members.iter().filter(|_| self.rule == Vote::Weighted) {
            say(&format!("  {:.3} {}", member.weight, member.path.display()));
        }
        Ok(())
    }
}
