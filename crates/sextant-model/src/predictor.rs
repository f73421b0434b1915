//! From pairs to predictions: encoding, packing, running, and putting results back in order.

use crate::bundle::Bundle;
use crate::{ForwardContext, ModelError, NonFinite, PackInput, PackedWeights, RelevanceModel};
use burn::tensor::Tensor;
use sextant_core::{Pair, Prediction};
use sextant_kernels::ScorePrecision;
use sextant_text::{EncodedRow, Encoder, Pack, TokenRow, plan_shared, plan_sorted};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
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

    /// A predictor over a bundle that computes in a precision. Packs the weights: what follows only reads
    /// them, so that any number of threads may predict at once.
    pub fn new(bundle: Bundle, precision: ScorePrecision) -> Self {
        let weights = Arc::new(PackedWeights::new(&bundle.model, precision));
        let (model, encoder) = (bundle.model, bundle.encoder);
        Self { model, encoder, weights, pack_tokens: Self::PACK_TOKENS }
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

    /// The same for somebody who watches: `done` hears how many rows each pack held, and may break.
    ///
    /// # Errors
    /// As [`Predictor::predict`]; [`ModelError::Stopped`] if `done` breaks.
    pub fn predict_watched(
        &self,
        pairs: &[Pair],
        done: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Prediction>, ModelError> {
        let rows = self.encoder.encode_all(pairs)?;
        predict_rows(&self.model, &rows, &self.weights, self.pack_tokens, done)
    }

    /// Predicts encoded rows, in their order. The first row whose answer is not a number is an error:
    /// [`ModelError::NonFinite`].
    pub fn predict_rows(&self, rows: &[EncodedRow]) -> Result<Vec<Prediction>, ModelError> {
        predict_rows(&self.model, rows, &self.weights, self.pack_tokens, |_| {
            ControlFlow::Continue(())
        })
    }
}

/// Predicts encoded rows with any model, in their order; `done` hears how many rows each pack held, and may
/// break.
///
/// Rows are packed by length, so that packs are even. For a causal backbone they are sorted by their
/// tokens instead, and leading tokens that rows share (one query, many products) are run once. What a
/// row scores does not depend on the rows beside it. `weights` are this model's, packed for the precision to compute in. The model must be on a device without autodiff ([`Module::valid`](burn::module::Module::valid)).
///
/// # Errors
/// [`ModelError::NonFinite`] names the first row whose answer is not a number; a row of a task that the
/// model lacks; [`ModelError::Stopped`] if `done` breaks.
pub fn predict_rows<R: TokenRow>(
    model: &RelevanceModel,
    rows: &[R],
    weights: &Arc<PackedWeights>,
    pack_tokens: usize,
    mut done: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Prediction>, ModelError> {
    let causal = model.spec().backbone.block.causal;
    let plan = if causal {
        plan_shared(rows, pack_tokens)
    } else {
        let lengths: Vec<usize> = rows.iter().map(|row| row.view().len()).collect();
        plan_sorted(&lengths, pack_tokens, 0)
    };
    let run = |indices: &[usize]| -> Result<(Pack, Tensor<2>), ModelError> {
        let members: Vec<_> = indices.iter().map(|&index| (index, &rows[index])).collect();
        let pack = Pack::new(&members);
        let input = if causal {
            PackInput::sharing_prefixes(&pack, &model.device())?
        } else {
            PackInput::new(&pack, &model.device())?
        };
        let logits = model.forward(&input, &ForwardContext::scoring(Arc::clone(weights)))?;
        Ok((pack, logits))
    };
    let mut faults = BTreeMap::new();
    let mut predictions = vec![Prediction { probs: [0.0; 3] }; rows.len()];
    for indices in plan {
        let (pack, logits) = run(&indices)?;
        faults.extend(pack.rows.iter().copied().zip(rows_of(&logits)).filter(is_fault));
        for (&index, prediction) in pack.rows.iter().zip(model.predictions(logits)) {
            predictions[index] = prediction;
        }
        if done(pack.row_count()).is_break() {
            return Err(ModelError::Stopped);
        }
    }
    let Some((&first, seen)) = faults.first_key_value() else { return Ok(predictions) };
    // A mean over rows' tokens is a product with zeros for all other rows of the pack, and zero times NaN
    // is NaN: which row is at fault, shows when it is alone. Then the first in the caller's order.
    let mut found = (first, seen.clone());
    for &row in faults.keys() {
        let alone = rows_of(&run(&[row])?.1).pop().map(|logits| (row, logits));
        if let Some(fault) = alone.filter(is_fault) {
            found = fault;
            break;
        }
    }
    let (row, logits) = found;
    let (task, precision) = (rows[row].view().task, weights.precision());
    let fault = NonFinite { task, logits, precision, member: None };
    Err(ModelError::NonFinite { row, fault })
}

/// A matrix as rows of numbers.
fn rows_of(matrix: &Tensor<2>) -> Vec<Vec<f32>> {
    let width = matrix.dims()[1];
    let numbers: Vec<f32> = matrix.clone().into_data().iter::<f32>().collect();
    numbers.chunks_exact(width).map(<[f32]>::to_vec).collect()
}

/// Whether the logits of a row are no answer.
fn is_fault((_, logits): &(usize, Vec<f32>)) -> bool {
    !logits.iter().all(|x| x.is_finite())
}
