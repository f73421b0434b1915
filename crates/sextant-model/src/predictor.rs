//! Predicting with a bundle: its model, its encoder and its packed weights.

use crate::bundle::Bundle;
use crate::{
    ModelError, ModelSpec, NonFinite, PackedWeights, RelevanceModel, answer_rows, predict_rows,
};
use sextant_core::{Decisions, Pair, Prediction};
use sextant_kernels::ScorePrecision;
use sextant_text::{Encoder, TokenRow};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Predicts with a model that is not being trained.
#[derive(Debug)]
pub struct Predictor {
    model: RelevanceModel,
    encoder: Encoder,
    weights: Arc<PackedWeights>,
    decisions: Decisions,
    pack_tokens: usize,
}

impl Predictor {
    /// The number of tokens per pack: enough for matrix products to be efficient, and few enough for
    /// activations to stay near the caches.
    pub const PACK_TOKENS: usize = 4096;

    /// A predictor over a bundle, which computes in the given precision. This packs the weights and frees the
    /// originals. Predicting only reads the packed weights, so that any number of threads may predict at
    /// once.
    pub fn new(bundle: Bundle, precision: ScorePrecision) -> Self {
        let (model, weights) = PackedWeights::taking(bundle.model, precision);
        let (encoder, weights) = (bundle.encoder, Arc::new(weights));
        let decisions = bundle.manifest.decisions;
        Self { model, encoder, weights, decisions, pack_tokens: Self::PACK_TOKENS }
    }

    /// The encoder, which turns pairs into rows of tokens.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The model's specification. (There is no access to the model itself, because its weights were replaced
    /// by the packed ones.)
    pub fn spec(&self) -> &ModelSpec {
        self.model.spec()
    }

    /// Encodes and predicts pairs, in their order. The first pair that cannot be encoded is an error.
    pub fn predict(&self, pairs: &[Pair]) -> Result<Vec<Prediction>, ModelError> {
        self.predict_rows(&self.encoder.encode_all(pairs)?)
    }

    /// [`Predictor::predict`] with an observer: `done` is called after each pack with the number of its rows,
    /// and may stop the run by breaking.
    ///
    /// # Errors
    /// As [`Predictor::predict`]; [`ModelError::Stopped`] if `done` breaks.
    pub fn predict_watched(
        &self,
        pairs: &[Pair],
        done: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Prediction>, ModelError> {
        self.run(&self.encoder.encode_all(pairs)?, done)
    }

    /// Predicts encoded rows, in their order. The first row whose answer is not a number is an error:
    /// [`ModelError::NonFinite`].
    pub fn predict_rows<R: TokenRow>(&self, rows: &[R]) -> Result<Vec<Prediction>, ModelError> {
        self.run(rows, |_| ControlFlow::Continue(()))
    }

    fn run<R: TokenRow>(
        &self,
        rows: &[R],
        done: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Prediction>, ModelError> {
        let answers = predict_rows(&self.model, rows, &self.weights, self.pack_tokens, done)?;
        let decided = rows.iter().zip(answers).map(|(row, answer)| self.decide(row, answer));
        Ok(decided.collect())
    }

    /// The answer to a row with the grade that the bundle's rule for the row's task decides.
    fn decide<R: TokenRow>(&self, row: &R, answer: Prediction) -> Prediction {
        self.decisions.get(&row.view().task).map_or(answer, |rule| rule.decide(answer))
    }

    /// Answers encoded rows, each with a prediction or with the reason why it has none; see [`answer_rows`].
    pub fn answer_rows<R: TokenRow>(
        &self,
        rows: &[R],
        done: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Result<Prediction, NonFinite>>, ModelError> {
        let answers = answer_rows(&self.model, rows, &self.weights, self.pack_tokens, done)?;
        let decide = |(row, answer): (&R, Result<Prediction, NonFinite>)| {
            answer.map(|answer| self.decide(row, answer))
        };
        Ok(rows.iter().zip(answers).map(decide).collect())
    }
}
