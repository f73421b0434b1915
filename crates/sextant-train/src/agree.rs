//! What ranks tell each other besides numbers: small values, as JSON.

use crate::{ReduceError, Reducer, TrainError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Tells every rank a value, and returns that of each rank. A process alone tells itself nothing.
pub(crate) fn gather_json<T: Serialize + DeserializeOwned>(
    reducer: &dyn Reducer,
    mine: T,
) -> Result<Vec<T>, TrainError> {
    if reducer.ranks() == 1 {
        return Ok(vec![mine]);
    }
    let garbled = |error: serde_json::Error| {
        ReduceError(format!(
            "ranks do not understand each other ({error}); do all of them run the same build of the program?"
        ))
    };
    let mut bytes = serde_json::to_vec(&mine).map_err(garbled)?;
    // JSON may end with spaces.
    bytes.resize(bytes.len().next_multiple_of(4), b' ');
    let words: Vec<u32> =
        bytes.as_chunks::<4>().0.iter().map(|&four| u32::from_le_bytes(four)).collect();
    let received = reducer.gather(&words)?;
    (0..reducer.ranks())
        .map(|rank| {
            let words = received.of(rank);
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            Ok(serde_json::from_slice(&bytes).map_err(garbled)?)
        })
        .collect()
}

/// Whether any rank says yes.
pub(crate) fn any(reducer: &dyn Reducer, mine: bool) -> Result<bool, TrainError> {
    Ok(gather_json(reducer, mine)?.contains(&true))
}

/// Returns what this rank has done, unless another rank has failed: then that is an error here, too, so that
/// no rank waits for one that has given up. Everything that may fail on one rank alone must end with this.
///
/// # Errors
/// This rank's own error, or [`TrainError::OtherRank`].
pub fn agree<T>(reducer: &dyn Reducer, mine: Result<T, TrainError>) -> Result<T, TrainError> {
    let problem = mine.as_ref().err().map(ToString::to_string);
    let problems = gather_json(reducer, problem)?;
    let mine = mine?;
    match problems.into_iter().enumerate().find_map(|(rank, problem)| Some((rank, problem?))) {
        Some((rank, problem)) => Err(TrainError::OtherRank { rank, problem }),
        None => Ok(mine),
    }
}

/// Runs `body` on rank 0, and after that on the other ranks, which find what rank 0 has left for them: fetched
/// weights, answers of a teacher.
///
/// # Errors
/// Those of [`agree`].
pub fn rank_0_first<T>(
    reducer: &dyn Reducer,
    body: impl FnOnce() -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    if reducer.rank() == 0 {
        let done = agree(reducer, body())?;
        return agree(reducer, Ok(done));
    }
    agree(reducer, Ok(()))?;
    agree(reducer, body())
}
