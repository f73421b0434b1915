//! How commands that predict open a bundle.

use crate::device::DeviceArgs;
use anyhow::anyhow;
use clap::Args;
use sextant_core::{Pair, Prediction, Split};
use sextant_data::LoadedDataset;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::{Device, ModelError};
use std::path::{Path, PathBuf};

/// Where and how precisely to predict.
#[derive(Debug, Clone, Args)]
pub(crate) struct Scoring {
    #[command(flatten)]
    on: DeviceArgs,
    /// f32, bf16 or int8 products; int8-weights or int4-weights: f32 products, weights stored in few bits
    #[arg(long, default_value_t = ScorePrecision::F32)]
    precision: ScorePrecision,
}

/// Says in an error about one row where the row comes from; `origin` and `pairs` are looked up at its
/// index.
pub(crate) fn at_row(
    error: ModelError,
    origin: impl FnOnce(usize) -> String,
    pairs: &[Pair],
) -> anyhow::Error {
    match error.of_row() {
        Ok((row, fault)) => anyhow!("{} ({}): {fault}", origin(row), pairs[row]),
        Err(other) => other.into(),
    }
}

/// The answers of a scorer to the dev rows of a data set, in their order: one for each row whose task it
/// answers. `name` names the scorer in errors.
pub(crate) fn answer_dev(
    scorer: &Scorer,
    data: &LoadedDataset,
    name: &Path,
) -> anyhow::Result<Vec<Option<Prediction>>> {
    let (dev, tasks) = (data.dataset.require(Split::Dev)?, scorer.tasks());
    let rows: Vec<usize> =
        (0..dev.len()).filter(|&row| tasks.contains(&dev[row].pair.task)).collect();
    let pairs: Vec<Pair> = rows.iter().map(|&row| dev[row].pair.clone()).collect();
    let predictions = scorer.predict(&pairs).map_err(|error| {
        at_row(error, |row| data.origin(Split::Dev, rows[row]), &pairs)
            .context(name.display().to_string())
    })?;
    let mut answers = vec![None; dev.len()];
    for (row, prediction) in rows.into_iter().zip(predictions) {
        answers[row] = Some(prediction);
    }
    Ok(answers)
}

/// The bundle of a run's folder, or the path itself, which is that of a bundle or an ensemble.
pub(crate) fn bundle_at(path: &Path) -> PathBuf {
    let inner = path.join("bundle");
    if inner.join("bundle.json").exists() { inner } else { path.to_owned() }
}

impl Scoring {
    /// The bundle or the ensemble in a folder, which may also be that of a run.
    pub(crate) fn open(&self, folder: &Path) -> anyhow::Result<Scorer> {
        Ok(Scorer::open(&bundle_at(folder), &self.on.device, self.precision)?)
    }

    /// The device and the precision that the user asked for.
    pub(crate) fn on(&self) -> (&Device, ScorePrecision) {
        (&self.on.device, self.precision)
    }
}
