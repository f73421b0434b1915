//! How commands that predict open a bundle.

use crate::device::DeviceArgs;
use anyhow::anyhow;
use clap::Args;
use sextant_core::Pair;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::{Device, ModelError};
use std::path::Path;

/// Where and how precisely to predict.
#[derive(Debug, Clone, Args)]
pub(crate) struct Scoring {
    #[command(flatten)]
    on: DeviceArgs,
    /// Precision of the products: f32, bf16 or int8
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

impl Scoring {
    /// The bundle or the ensemble in a folder.
    pub(crate) fn open(&self, folder: &Path) -> anyhow::Result<Scorer> {
        Ok(Scorer::open(folder, &self.on.device, self.precision)?)
    }

    /// The device and the precision that the user asked for.
    pub(crate) fn on(&self) -> (&Device, ScorePrecision) {
        (&self.on.device, self.precision)
    }
}
