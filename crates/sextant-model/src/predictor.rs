//! From pairs to predictions: encoding, packing, running, and putting results back in order.

use crate::bundle::Bundle;
use crate::{ForwardContext, ModelError, PackInput, PackedWeights, RelevanceModel};
use sextant_core::{Pair, Prediction};
use sextant_kernels::ScorePrecision;
use sextant_text::{EncodedRow, Encoder, Pack, plan_shared, plan_sorted};
use std::sync::Arc;

/// Predicts with a model that is not being trained.
#[derive(Debug)]
pub struct Predictor {
    model: RelevanceModel,
    encoder: Encoder,
    weights: Arc<PackedWeights>,
    pack_tokens: usize,
}

impl Predictor {
    /// Tokens per pack unless set otherwise: enough to keep the products busy, few enough to stay
    /// near the caches.
    pub const PACK_TOKENS: usize = 4096;

    /// A predictor over a bundle.
    pub fn new(bundle: Bundle) -> Self {
        Self {
            model: bundle.model,
            encoder: bundle.encoder,
            weights: Arc::new(PackedWeights::new(ScorePrecision::F32)),
            pack_tokens: Self::PACK_TOKENS,
        }
    }

    /// Computes in another precision.
    #[must_use]
    pub fn with_precision(mut self, precision: ScorePrecision) -> Self {
        self.weights = Arc::new(PackedWeights::new(precision));
        self
    }

    /// What turns pairs into rows.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The model.
    pub fn model(&self) -> &RelevanceModel {
        &self.model
    }

    /// Encodes and predicts pairs, in their order. The first pair that cannot be encoded is an error.
    pub fn predict(&self, pairs: &[Pair]) -> Result<Vec<Prediction>, ModelError> {
        self.predict_rows(&self.encoder.encode_all(pairs)?)
    }

    /// Predicts encoded rows, in their order.
    pub fn predict_rows(&self, rows: &[EncodedRow]) -> Result<Vec<Prediction>, ModelError> {
        predict_rows(&self.model, rows, &self.weights, self.pack_tokens, |_| {})
    }
}

/// Predicts encoded rows with any model, in their order; `done` hears how many rows each pack held.
///
/// Rows are packed by length, so that packs are even. For a causal backbone they are sorted by their
/// tokens instead, and leading tokens that rows share (one query, many products) are run once. What a
/// row scores does not depend on the rows beside it. `weights` serves this model and must be kept for further calls: it packs each weight
/// once. The model must be on a device without autodiff ([`Module::valid`](burn::module::Module::valid)).
pub fn predict_rows(
    model: &RelevanceModel,
    rows: &[EncodedRow],
    weights: &Arc<PackedWeights>,
    pack_tokens: usize,
    mut done: impl FnMut(usize),
) -> Result<Vec<Prediction>, ModelError> {
    let causal = model.spec().backbone.block.causal;
    let plan = if causal {
        plan_shared(rows, pack_tokens)
    } else {
        let lengths: Vec<usize> = rows.iter().map(EncodedRow::len).collect();
        plan_sorted(&lengths, pack_tokens, 0)
    };
    let device = model.device();
    let mut predictions = vec![Prediction { probs: [0.0; 3] }; rows.len()];
    for indices in plan {
        let members: Vec<_> = indices.iter().map(|&index| (index, &rows[index])).collect();
        let pack = Pack::new(&members);
        let input = if causal {
            PackInput::sharing_prefixes(&pack, &device)?
        } else {
            PackInput::new(&pack, &device)?
        };
        let logits = model.forward(&input, &ForwardContext::scoring(Arc::clone(weights)))?;
        for (&index, prediction) in pack.rows.iter().zip(model.predictions(logits)) {
            predictions[index] = prediction;
        }
        done(pack.row_count());
    }
    Ok(predictions)
}
