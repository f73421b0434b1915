//! Measuring how rounding to 8 bits changes the answers of a bundle.

use crate::bundle::Bundle;
use crate::{ModelError, PackedWeights, Predictor, merge, predict_rows};
use sextant_core::{Pair, Prediction};
use sextant_kernels::ScorePrecision;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How answers in 8 bits differ from those in `f32`, measured on pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounding {
    /// The name of the file or data set that the pairs come from, for the model card.
    pub source: String,
    /// How many pairs there were.
    pub pairs: usize,
    /// The mean absolute difference of a probability, over all pairs and grades.
    pub mean: f64,
    /// The largest absolute difference of a probability.
    pub largest: f64,
    /// The number of pairs whose most probable grade changes in 8 bits.
    pub flipped: usize,
}

impl Rounding {
    /// Answers pairs with the bundle's model in both precisions, and compares the answers. Adapters are
    /// merged first, as in an export, so that the merged weights are rounded.
    ///
    /// # Errors
    /// No pairs; or a pair that cannot be encoded, is of a task that the bundle lacks, or has an answer that
    /// is infinite or not a number; then [`ModelError::of_row`] returns the index of the pair.
    pub fn measure(bundle: &Bundle, pairs: &[Pair], source: &str) -> Result<Self, ModelError> {
        let model = merge(bundle.model.clone())?;
        let rows = bundle.encoder.encode_all(pairs)?;
        let answers = |precision| {
            let weights = Arc::new(PackedWeights::new(&model, precision));
            predict_rows(&model, &rows, &weights, Predictor::PACK_TOKENS, |_| {
                ControlFlow::Continue(())
            })
        };
        Self::between(&answers(ScorePrecision::F32)?, &answers(ScorePrecision::Int8)?, source)
            .ok_or_else(|| {
                ModelError::Export(format!("there are no pairs to measure on in {source}"))
            })
    }

    /// Compares the answers to the same pairs; `None` if there are no pairs.
    fn between(exact: &[Prediction], rounded: &[Prediction], source: &str) -> Option<Self> {
        let differences: Vec<f64> = exact
            .iter()
            .zip(rounded)
            .flat_map(|(one, other)| one.probs.into_iter().zip(other.probs))
            .map(|(one, other)| f64::from((one - other).abs()))
            .collect();
        let flipped = exact.iter().zip(rounded).filter(|(one, other)| one.grade() != other.grade());
        (!differences.is_empty()).then(|| Self {
            source: source.to_owned(),
            pairs: exact.len(),
            mean: differences.iter().sum::<f64>() / differences.len() as f64,
            largest: differences.iter().copied().fold(0.0, f64::max),
            flipped: flipped.count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_those_worked_by_hand() {
        let of = |probs: &[[f32; 3]]| -> Vec<Prediction> {
            probs.iter().map(|&probs| Prediction::new(probs)).collect()
        };
        let exact = of(&[[0.5, 0.375, 0.125], [0.0, 0.25, 0.75]]);
        let rounded = of(&[[0.375, 0.5, 0.125], [0.0, 0.25, 0.75]]);
        let found = Rounding::between(&exact, &rounded, "a").unwrap();
        assert_eq!((found.pairs, found.flipped, found.largest), (2, 1, 0.125));
        assert_eq!(found.mean, 0.25 / 6.0);
        assert_eq!(Rounding::between(&[], &[], "a"), None);
    }
}
