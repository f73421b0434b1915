//! `sextant decide`: the rules by which a model's grades are decided, fitted on dev rows.

use crate::arguments::{Overwrite, Reading};
use crate::say::say;
use crate::scoring::{Scoring, answer_dev, bundle_at};
use anyhow::{Context, anyhow, ensure};
use clap::Args;
use sextant_core::{Decisions, Split, Task};
use sextant_data::{Labels, LoadedDataset};
use sextant_eval::{FittedDecision, Objective, Scored, fit_decisions, helpful};
use sextant_files::Existing;
use sextant_infer::EnsembleManifest;
use sextant_model::bundle::{self, Particulars};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `decide`
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// A bundle, the folder of a run, an ensemble or a cascade
    bundle: PathBuf,
    /// A data set, on whose dev rows the rules are fitted
    data: PathBuf,
    /// What decided grades are to be good at: accuracy, macro_f1, quadratic_kappa, or costs by true grade
    /// (rows) and decided grade, such as cost=0,1,4/1,0,1/4,1,0
    #[arg(long)]
    objective: Objective,
    /// The folder of the same model with the rules
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
}

impl Decide {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.objective.validate().map_err(|error| anyhow!("--objective: {error}"))?;
        let from = bundle_at(&self.bundle);
        let existing = self.overwrite.of(&self.out, &from)?;
        let data = LoadedDataset::load(&self.data, &self.reading.options(Labels::Required))?;
        let answers = answer_dev(&self.scoring.open(&from)?, &data, &from)?;
        let dev = data.dataset.part(Split::Dev).iter().zip(answers);
        let scored: Vec<Scored<'_>> =
            dev.filter_map(|(example, answer)| Some(Scored::of(example, answer?))).collect();
        ensure!(
            !scored.is_empty(),
            "{}: no dev row is of a task that {} answers",
            self.data.display(),
            from.display()
        );
        let fitted = fit_decisions(&scored, &self.objective);
        self.write(&from, existing, &helpful(&fitted), &fitted)?;
        self.report(&fitted);
        Ok(())
    }

    /// Writes the same model with the rules, in place of those that it had.
    fn write(
        &self,
        from: &Path,
        existing: Existing,
        rules: &Decisions,
        fitted: &BTreeMap<Task, FittedDecision>,
    ) -> anyhow::Result<()> {
        let how = serde_json::json!({
            "objective": self.objective, "data": self.data, "fitted": fitted,
        });
        let noted = |provenance: serde_json::Value| match provenance {
            serde_json::Value::Object(mut fields) => {
                fields.insert("decisions".to_owned(), how.clone());
                fields.into()
            }
            _ => serde_json::json!({ "decisions": how }),
        };
        if EnsembleManifest::is_at(from) {
            let mut manifest = EnsembleManifest::read(from)?.moved(from, &self.out)?;
            manifest.decisions = rules.clone();
            manifest.provenance = noted(manifest.provenance);
            manifest.write(&self.out, existing)
        } else {
            let provenance = noted(bundle::read_manifest(from)?.provenance);
            let particulars = Particulars { provenance, decisions: rules.clone() };
            bundle::copy(from, &self.out, existing, particulars)
        }
        .with_context(|| self.out.display().to_string())
    }

    fn report(&self, fitted: &BTreeMap<Task, FittedDecision>) {
        say(&format!("{}: {} on dev rows", self.out.display(), self.objective));
        let number =
            |value: Option<f64>| value.map_or("undefined".to_owned(), |v| format!("{v:.4}"));
        for (task, found) in fitted {
            let [low, high] = found.rule.thresholds();
            let kept = if found.helps {
                format!("thresholds {low:.3} and {high:.3}")
            } else {
                "no rule helps, so that the most probable grade is kept".to_owned()
            };
            say(&format!(
                "  {task:<16} {} -> {} (cross-fitted {}): {kept}",
                number(found.before),
                number(found.fitted),
                number(found.cross_fitted),
            ));
        }
    }
}
