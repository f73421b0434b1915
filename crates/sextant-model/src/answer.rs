//! Running encoded rows in packs, and putting the answers back in order.

use crate::{ForwardContext, ModelError, NonFinite, PackInput, PackedWeights, RelevanceModel};
use burn::tensor::Tensor;
use sextant_core::Prediction;
use sextant_kernels::within_pool;
use sextant_text::{Pack, TokenRow, plan_shared, plan_sorted};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Predicts encoded rows with a model, and returns the predictions in the order of the rows. `done` is
/// called after each pack with the number of its rows, and may stop the run by breaking.
///
/// Rows are packed by length, so that the rows of a pack are of similar length. For a causal backbone, rows
/// are sorted by their tokens instead, and leading tokens that rows share (one query, many products) are run
/// once. A row's prediction does not depend on the other rows of its pack. `weights` are those of this model,
/// packed for the precision to compute in. The model must be on a device without autodiff
/// ([`Module::valid`](burn::module::Module::valid)).
///
/// # Errors
/// [`ModelError::NonFinite`] names the first row whose answer is not a number; a row of a task that the
/// model lacks; [`ModelError::Stopped`] if `done` breaks.
pub fn predict_rows<R: TokenRow>(
    model: &RelevanceModel,
    rows: &[R],
    weights: &Arc<PackedWeights>,
    pack_tokens: usize,
    done: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Prediction>, ModelError> {
    let pass = Pass { model, rows, weights };
    let (predictions, faulty_packs) = pass.run(pack_tokens, done)?;
    let mut faults: Vec<Fault> = faulty_packs.into_iter().flatten().collect();
    faults.sort_unstable_by_key(|fault| fault.row);
    let Some(first) = faults.first().cloned() else { return Ok(predictions) };
    // The error names the first row, in the caller's order, that is at fault when it is run alone (see
    // `Pass::settle`); rows after it are not run again.
    for fault in faults {
        if let Some(alone) = pass.pack(&[fault.row])?.1.pop() {
            return Err(pass.error(alone));
        }
    }
    Err(pass.error(first))
}

/// [`predict_rows`] with a result for each row: if the answer of one row is not a number, the other rows
/// still get their predictions.
///
/// # Errors
/// A row of a task that the model lacks; [`ModelError::Stopped`] if `done` breaks. `done` is called with 0
/// after each run that only serves to find out which row of a pack is at fault.
pub fn answer_rows<R: TokenRow>(
    model: &RelevanceModel,
    rows: &[R],
    weights: &Arc<PackedWeights>,
    pack_tokens: usize,
    mut done: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Result<Prediction, NonFinite>>, ModelError> {
    let pass = Pass { model, rows, weights };
    let (predictions, faulty_packs) = pass.run(pack_tokens, &mut done)?;
    let mut answers: Vec<_> = predictions.into_iter().map(Ok).collect();
    for pack in faulty_packs {
        let mut sound = Vec::new();
        let mut alone = Vec::new();
        let suspects: Vec<usize> = pack.iter().map(|fault| fault.row).collect();
        pass.settle(&suspects, &mut sound, &mut alone, &mut done)?;
        // If no row is at fault when it is run alone, the faults that the whole pack showed are reported.
        let faults = if alone.is_empty() { pack } else { alone };
        for (row, prediction) in sound {
            answers[row] = Ok(prediction);
        }
        for fault in faults {
            let row = fault.row;
            answers[row] = Err(pass.non_finite(fault));
        }
    }
    Ok(answers)
}

/// A row with a logit that is infinite or not a number.
#[derive(Debug, Clone)]
struct Fault {
    row: usize,
    logits: Vec<f32>,
}

/// The rows of one call, and the model and weights that they are run with.
struct Pass<'a, R> {
    model: &'a RelevanceModel,
    rows: &'a [R],
    weights: &'a Arc<PackedWeights>,
}

/// Indices of rows, with the predictions of these rows.
type Answered = Vec<(usize, Prediction)>;

impl<R: TokenRow> Pass<'_, R> {
    fn is_causal(&self) -> bool {
        self.model.spec().backbone.block.causal
    }

    /// Runs all rows. Returns a prediction for each row, and the faults of each pack that has some. The
    /// predictions of faulty rows are meaningless.
    fn run(
        &self,
        pack_tokens: usize,
        mut done: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<(Vec<Prediction>, Vec<Vec<Fault>>), ModelError> {
        let plan = if self.is_causal() {
            plan_shared(self.rows, pack_tokens)
        } else {
            let lengths: Vec<usize> = self.rows.iter().map(|row| row.view().len()).collect();
            plan_sorted(&lengths, pack_tokens, 0)
        };
        let mut predictions = vec![Prediction::new([0.0; 3]); self.rows.len()];
        let mut faulty_packs = Vec::new();
        for indices in plan {
            let (answered, faults) = within_pool(|| self.pack(&indices))?;
            for &(row, prediction) in &answered {
                predictions[row] = prediction;
            }
            if !faults.is_empty() {
                faulty_packs.push(faults);
            }
            if done(answered.len()).is_break() {
                return Err(ModelError::Stopped);
            }
        }
        Ok((predictions, faulty_packs))
    }

    /// Runs some rows as one pack. Returns the predictions of all of them, and the faults among them.
    fn pack(&self, indices: &[usize]) -> Result<(Answered, Vec<Fault>), ModelError> {
        let members: Vec<_> = indices.iter().map(|&index| (index, &self.rows[index])).collect();
        let pack = Pack::new(&members);
        let device = self.model.device();
        let input = if self.is_causal() {
            PackInput::sharing_prefixes(&pack, &device)?
        } else {
            PackInput::new(&pack, &device)?
        };
        let context = ForwardContext::scoring(Arc::clone(self.weights));
        let logits = self.model.forward(&input, &context)?;
        let faults = pack.rows.iter().copied().zip(rows_of(&logits));
        let faults = faults.filter(|(_, logits)| !logits.iter().all(|x| x.is_finite()));
        let faults = faults.map(|(row, logits)| Fault { row, logits }).collect();
        let predictions = self.model.predictions(logits);
        Ok((pack.rows.iter().copied().zip(predictions).collect(), faults))
    }

    /// Tells rows that are at fault from rows that were only in the same pack as one.
    ///
    /// Mean pooling multiplies the tokens of all other rows of the pack by zero, and zero times NaN is NaN:
    /// one bad row makes every row of its pack look bad. So the suspects are run again in two halves, and
    /// each half in which a fault remains is divided further, down to single rows.
    fn settle(
        &self,
        suspects: &[usize],
        sound: &mut Answered,
        alone: &mut Vec<Fault>,
        done: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<(), ModelError> {
        for part in suspects.chunks(suspects.len().div_ceil(2).max(1)) {
            let (answered, faults) = within_pool(|| self.pack(part))?;
            if done(0).is_break() {
                return Err(ModelError::Stopped);
            }
            let still: Vec<usize> = faults.iter().map(|fault| fault.row).collect();
            sound.extend(answered.into_iter().filter(|(row, _)| !still.contains(row)));
            if part.len() == 1 {
                alone.extend(faults);
            } else if !still.is_empty() {
                self.settle(&still, sound, alone, done)?;
            }
        }
        Ok(())
    }

    fn non_finite(&self, fault: Fault) -> NonFinite {
        let task = self.rows[fault.row].view().task;
        let precision = self.weights.precision();
        NonFinite { task, logits: fault.logits, precision, member: None }
    }

    fn error(&self, fault: Fault) -> ModelError {
        ModelError::NonFinite { row: fault.row, fault: self.non_finite(fault) }
    }
}

/// A matrix as rows of numbers.
fn rows_of(matrix: &Tensor<2>) -> Vec<Vec<f32>> {
    let width = matrix.dims()[1];
    let numbers: Vec<f32> = matrix.clone().into_data().iter::<f32>().collect();
    numbers.chunks_exact(width).map(<[f32]>::to_vec).collect()
}
