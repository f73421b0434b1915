//! How commands that predict open a bundle.

use crate::device::Place;
use clap::Args;
use sextant_kernels::ScorePrecision;
use sextant_model::{Predictor, bundle};
use std::path::Path;

/// Where and how precisely to predict.
#[derive(Debug, Clone, Args)]
pub(crate) struct Scoring {
    #[command(flatten)]
    place: Place,
    /// Precision of the products: f32, bf16 or int8
    #[arg(long, default_value_t = ScorePrecision::F32)]
    precision: ScorePrecision,
}

impl Scoring {
    /// A predictor over the bundle in a folder.
    pub(crate) fn open(&self, folder: &Path) -> anyhow::Result<Predictor> {
        self.open_in(folder, self.precision)
    }

    /// The same in another precision than the one asked for.
    pub(crate) fn open_in(
        &self,
        folder: &Path,
        precision: ScorePrecision,
    ) -> anyhow::Result<Predictor> {
        let bundle = bundle::open(folder, &self.place.open()?)?;
        Ok(Predictor::new(bundle).with_precision(precision))
    }

    /// The precision asked for.
    pub(crate) fn precision(&self) -> ScorePrecision {
        self.precision
    }
}
