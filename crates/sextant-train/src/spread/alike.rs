//! Checks that the processes of a training do the same.

use crate::Reducer;
use crate::agree::gather_json;
use crate::checkpoint::TrainingState;
use crate::{BatchRecipe, Computation, ReductionOrder, Rows, RunFolder, TrainError};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sextant_kernels::Precision;
use sextant_model::RelevanceModel;

/// What all ranks must have in common before they begin.
#[derive(Serialize, Deserialize)]
struct Prepared {
    fingerprint: String,
    precision: String,
    level: String,
}

/// Checks that all ranks have prepared the same run. Where the recipe leaves the precision to the processor,
/// all compute in that of rank 0.
///
/// # Errors
/// A rank has another recipe or other data.
pub(crate) fn check_alike(
    reducer: &dyn Reducer,
    fingerprint: &str,
    computation: &mut Computation,
) -> Result<(), TrainError> {
    let said = gather_json(
        reducer,
        Prepared {
            fingerprint: fingerprint.to_owned(),
            precision: computation.precision.to_string(),
            level: computation.processor.level.to_owned(),
        },
    )?;
    if let Some(rank) = said.iter().position(|one| one.fingerprint != first(&said).fingerprint) {
        return Err(TrainError::Ranks {
            rank,
            problem: "has another recipe or reads other data than rank 0; give all of them the same command, and the same files under the same path".into(),
        });
    }
    if let Some(rank) = said.iter().position(|one| one.level != first(&said).level) {
        tracing::warn!(
            "rank {rank} has another kind of processor than rank 0 ({} in place of {}): the same command on other machines may give weights that differ by rounding",
            said[rank].level,
            first(&said).level
        );
    }
    if let Ok(precision) = first(&said).precision.parse::<Precision>() {
        computation.precision = precision;
    }
    Ok(())
}

/// Warns if the packs of a step are too few to give every rank something to do.
pub(crate) fn warn_of_idle_ranks(reducer: &dyn Reducer, train: &Rows, batch: &BatchRecipe) {
    let tokens: usize = train.views().map(|row| row.len()).sum();
    let of_step = tokens as f64 / train.len().max(1) as f64 * batch.rows as f64;
    let (packs, ranks) = (of_step / batch.pack_tokens as f64, reducer.ranks());
    if reducer.rank() == 0 && ranks > 1 && packs < ranks as f64 {
        tracing::warn!(
            "a step has about {of_step:.0} tokens, which is {:.0} pack(s) for {ranks} processes, so that some have nothing to do: raise `batch.rows`, or lower `batch.pack_tokens` to {:.0} or less",
            packs.ceil(),
            (of_step / (2 * ranks) as f64).ceil()
        );
    }
}

/// What rank 0 said: there is always a rank 0.
fn first<T>(said: &[T]) -> &T {
    &said[0]
}

/// Checks that all ranks go on from the same checkpoint, and says what changes if other numbers of ranks made it.
///
/// # Errors
/// A rank sees another checkpoint, or none.
pub(crate) fn check_checkpoint(
    reducer: &dyn Reducer,
    found: Option<&TrainingState>,
    folder: &RunFolder,
    order: ReductionOrder,
) -> Result<(), TrainError> {
    let step = found.map(|found| (found.step, found.fingerprint.clone()));
    let said = gather_json(reducer, step)?;
    if let Some(rank) = said.iter().position(|one| one != first(&said)) {
        return Err(TrainError::Ranks {
            rank,
            problem: format!(
                "does not see the checkpoint that rank 0 goes on from in {}; put the run's folder (`--out`) on a file system that all machines share",
                folder.0.display()
            ),
        });
    }
    let (ranks, before) = (reducer.ranks(), found.map_or(reducer.ranks(), |found| found.ranks));
    if ranks != before && reducer.rank() == 0 {
        let changes = match order {
            ReductionOrder::Fixed => "the weights will be the same, bit for bit",
            ReductionOrder::Ring => {
                "with `distributed.reduction = \"ring\"` gradients are now added in another order, and weights will differ by rounding from those of a run that keeps its number of processes"
            }
        };
        tracing::warn!(
            "{}: the checkpoint is of {before} process(es), and {ranks} go on: {changes}",
            folder.0.display()
        );
    }
    Ok(())
}

/// Checks that all ranks have the same weights. Every rank updates its own copy, so that a processor that rounds
/// otherwise, or faulty memory, would part them without anybody noticing.
///
/// # Errors
/// A rank has other weights.
pub(crate) fn check_weights(
    reducer: &dyn Reducer,
    model: &RelevanceModel,
    step: u64,
) -> Result<(), TrainError> {
    if reducer.ranks() == 1 {
        return Ok(());
    }
    let said = gather_json(reducer, checksum(model))?;
    match said.iter().position(|one| one != first(&said)) {
        None => Ok(()),
        Some(rank) => Err(TrainError::Ranks {
            rank,
            problem: format!(
                "has other weights than rank 0 after step {step}: its processor rounds otherwise, or its memory is faulty; use machines of one kind, and resume the run from its last checkpoint"
            ),
        }),
    }
}

/// A number that changes with every bit of the trained weights, and with their order.
fn checksum(model: &RelevanceModel) -> u64 {
    struct Summer(u64);
    impl ModuleVisitor for Summer {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.is_require_grad() {
                return; // frozen weights do not change
            }
            let data = param.val().inner().into_data();
            // The hash of Fowler, Noll and Vo, of words in place of bytes, in four lanes.
            let mut lanes = [self.0; 4];
            for (place, number) in data.iter::<f32>().enumerate() {
                let lane = &mut lanes[place % 4];
                *lane = (*lane ^ u64::from(number.to_bits())).wrapping_mul(0x0100_0000_01b3);
            }
            self.0 = lanes.into_iter().fold(self.0, |sum, lane| sum.rotate_left(13) ^ lane);
        }
    }
    let mut summer = Summer(0xcbf2_9ce4_8422_2325);
    model.visit(&mut summer);
    summer.0
}
