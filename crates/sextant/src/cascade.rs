//! `sextant cascade`: a small model that asks a large one where it is not sure.

use crate::arguments::{Overwrite, Reading};
use crate::say::say;
use crate::scoring::{Scoring, answer_dev, bundle_at};
use anyhow::{Context, bail, ensure};
use clap::Args;
use sextant_core::{Prediction, Split};
use sextant_data::{Labels, LoadedDataset};
use sextant_eval::{CascadePoint, CascadeRow, Vote, cascade_curve};
use sextant_infer::{Cascade, EnsembleManifest, confidence};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The most points of the curve that the cascade's folder keeps.
const KEPT: usize = 200;

/// `cascade`
#[derive(Debug, Args)]
pub(crate) struct CascadeCommand {
    /// The small model, which is asked about every row: a bundle, the folder of a run, or an ensemble
    small: PathBuf,
    /// The large model, which is asked where the small one is not sure
    large: PathBuf,
    /// A data set, on whose dev rows the thresholds are fitted
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    target: Target,
    /// The cascade's folder
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
}

/// Which point of the curve to take.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Target {
    /// Ask as seldom as this accuracy allows, such as 0.9
    #[arg(long)]
    accuracy: Option<f64>,
    /// Ask as seldom as this share of the best gain in accuracy allows; 0.95 unless another target is given
    #[arg(long)]
    gain: Option<f64>,
    /// Ask about at most this share of the rows
    #[arg(long)]
    share: Option<f64>,
    /// Take at most this share of the time that the large model takes alone, as measured on the dev rows
    #[arg(long)]
    cost: Option<f64>,
}

/// A stage with its answers to the dev rows.
struct Stage {
    manifest: EnsembleManifest,
    answers: Vec<Option<Prediction>>,
    seconds_per_row: f64,
}

impl CascadeCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let existing = self.overwrite.existing();
        existing.check(&self.out)?;
        let data = LoadedDataset::load(&self.data, &self.reading.options(Labels::Required))?;
        let [small, large] = [self.stage(&self.small, &data)?, self.stage(&self.large, &data)?];
        let dev = data.dataset.part(Split::Dev);
        let both = dev.iter().zip(small.answers.iter().zip(&large.answers));
        let rows: Vec<CascadeRow> = both
            .filter_map(|(example, (small, large))| {
                let (small, large) = ((*small)?, (*large)?);
                Some(CascadeRow {
                    task: example.pair.task,
                    confidence: confidence(&small),
                    right: [small.grade() == example.grade, large.grade() == example.grade],
                })
            })
            .collect();
        ensure!(
            !rows.is_empty(),
            "{}: no dev row is of a task that both models answer",
            self.data.display()
        );
        let curve = cascade_curve(&rows);
        let alone = rows.iter().filter(|row| row.right[1]).count() as f64 / rows.len() as f64;
        let ratio = small.seconds_per_row / large.seconds_per_row;
        let chosen = self.target.choose(&curve, ratio)?.clone();
        let first = &curve[0];
        let provenance = serde_json::json!({
            "data": self.data, "dev_rows": rows.len(),
            "small": {"accuracy": first.accuracy, "seconds_per_row": small.seconds_per_row},
            "large": {"accuracy": alone, "seconds_per_row": large.seconds_per_row},
            "chosen": chosen,
            "curve": thinned(&curve),
        });
        self.join(small.manifest, large.manifest, &chosen, provenance)?
            .write(&self.out, existing)
            .with_context(|| self.out.display().to_string())?;
        say(&format!(
            "{}: on {} dev rows (time as measured, that of the large model is 1)",
            self.out.display(),
            rows.len()
        ));
        let line = |name: &str, accuracy: f64, passed_on: f64, time: f64| {
            say(&format!(
                "  {name:<8} accuracy {accuracy:.4}  asks the large model {:5.1} %  time {time:.3}",
                100.0 * passed_on
            ));
        };
        line("small", first.accuracy, 0.0, ratio);
        line("cascade", chosen.accuracy, chosen.passed_on, ratio + chosen.passed_on);
        line("large", alone, 1.0, 1.0);
        for (task, threshold) in &chosen.thresholds {
            say(&format!("  {task:<16} asks up to confidence {threshold:.3}"));
        }
        Ok(())
    }

    fn stage(&self, path: &Path, data: &LoadedDataset) -> anyhow::Result<Stage> {
        let path = bundle_at(path);
        let manifest = if EnsembleManifest::is_at(&path) {
            let manifest = EnsembleManifest::read(&path)?.moved(&path, &self.out)?;
            ensure!(
                manifest.cascade.is_none(),
                "{}: is a cascade already; a stage is a bundle or an ensemble that votes",
                path.display()
            );
            ensure!(
                manifest.decisions.is_empty(),
                "{}: is an ensemble with decision rules, which a stage cannot keep; name it as it was before `sextant decide`, and decide on the cascade",
                path.display()
            );
            manifest
        } else {
            EnsembleManifest::of(std::slice::from_ref(&path), Vote::Soft, &self.out)?
        };
        let scorer = self.scoring.open(&path)?;
        scorer.warm_up()?;
        let start = Instant::now();
        let answers = answer_dev(&scorer, data, &path)?;
        let answered = answers.iter().flatten().count().max(1);
        let seconds_per_row = start.elapsed().as_secs_f64() / answered as f64;
        Ok(Stage { manifest, answers, seconds_per_row })
    }

    /// The ensemble of both stages.
    fn join(
        &self,
        small: EnsembleManifest,
        large: EnsembleManifest,
        chosen: &CascadePoint,
        provenance: serde_json::Value,
    ) -> anyhow::Result<EnsembleManifest> {
        let rule = match (small.members.len(), large.members.len()) {
            (_, 1) => small.rule,
            (1, _) => large.rule,
            _ if small.rule == large.rule => small.rule,
            _ => bail!(
                "{} votes by `{}` and {} by `{}`; both stages of a cascade vote by the same rule",
                self.small.display(),
                small.rule,
                self.large.display(),
                large.rule
            ),
        };
        let cascade =
            Cascade { first_stage: small.members.len(), thresholds: chosen.thresholds.clone() };
        let members = small.members.into_iter().chain(large.members).collect();
        Ok(EnsembleManifest { rule, members, cascade: Some(cascade), provenance, ..large })
    }
}

impl Target {
    /// The point of a curve that meets the target. `ratio` is the time of the small model over that of the
    /// large one.
    fn choose<'c>(
        &self,
        curve: &'c [CascadePoint],
        ratio: f64,
    ) -> anyhow::Result<&'c CascadePoint> {
        let [first, .., last] = curve else {
            bail!(
                "on the dev rows, the large model is right nowhere where the small one is wrong and unsure: a cascade would only cost time"
            );
        };
        for (name, value) in
            [("gain", self.gain), ("share", self.share), ("accuracy", self.accuracy)]
        {
            ensure!(
                value.is_none_or(|value| (0.0..=1.0).contains(&value)),
                "--{name} must be in [0, 1]"
            );
        }
        let most = match (self.share, self.cost) {
            (Some(share), _) => Some(share),
            (_, Some(cost)) => {
                ensure!(
                    cost >= ratio,
                    "--cost {cost}: the small model alone takes {ratio:.3} of the large one's time"
                );
                Some(cost - ratio)
            }
            _ => None,
        };
        if let Some(most) = most {
            // The first point asks about no row.
            let within = curve.iter().rev().find(|point| point.passed_on <= most);
            return Ok(within.unwrap_or(first));
        }
        let wanted = self.accuracy.unwrap_or_else(|| {
            first.accuracy + self.gain.unwrap_or(0.95) * (last.accuracy - first.accuracy)
        });
        let reaches = |point: &&CascadePoint| point.accuracy >= wanted - 1e-12;
        curve.iter().find(reaches).with_context(|| {
            format!(
                "--accuracy {wanted}: no thresholds reach it on the dev rows; the best accuracy is {:.4}, where {:.1} % of the rows are passed on",
                last.accuracy,
                100.0 * last.passed_on
            )
        })
    }
}

/// At most [`KEPT`] points of a curve, its first and its last among them.
fn thinned(curve: &[CascadePoint]) -> Vec<&CascadePoint> {
    if curve.len() <= KEPT {
        return curve.iter().collect();
    }
    (0..KEPT).map(|number| &curve[number * (curve.len() - 1) / (KEPT - 1)]).collect()
}
