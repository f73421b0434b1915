//! How commands that predict open a bundle.

use crate::device::Place;
use anyhow::anyhow;
use clap::Args;
use sextant_core::Pair;
use sextant_kernels::ScorePrecision;
use sextant_model::ModelError;
use sextant_score::Scorer;
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

/// Says which row has no number for an answer: `place` names the rows, of which `of` gives the number
/// (from 1) and the pair of the one at an index.
pub(crate) fn at_row<'a>(
    error: ModelError,
    place: &str,
    of: impl FnOnce(usize) -> (usize, &'a Pair),
) -> anyhow::Error {
    match error {
        ModelError::NonFinite { row, fault } => {
            let (number, pair) = of(row);
            anyhow!("{place}: row {number} ({pair}): {fault}")
        }
        other => other.into(),
    }
}

impl Scoring {
    /// The bundle or the ensemble in a folder.
    pub(crate) fn open(&self, folder: &Path) -> anyhow::Result<Scorer> {
        self.open_in(folder, self.precision)
    }

    /// The same in another precision than the one asked for.
    pub(crate) fn open_in(
        &self,
        folder: &Path,
        precision: ScorePrecision,
    ) -> anyhow::Result<Scorer> {
        Ok(Scorer::open(folder, &self.place.open()?, precision)?)
    }

    /// The precision asked for.
    pub(crate) fn precision(&self) -> ScorePrecision {
        self.precision
    }
}
