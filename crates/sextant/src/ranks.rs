//! The processes of one training, if a launcher of MPI has started several.

use sextant_mpi::launched;
use sextant_train::{Reducer, TrainError};
use std::sync::Arc;

/// Joins the processes that were started together with this one; a process that was started alone stays alone.
///
/// # Errors
/// MPI cannot be started.
#[cfg(feature = "mpi")]
pub(crate) fn join() -> anyhow::Result<Arc<dyn Reducer>> {
    Ok(match launched() {
        Some(_) => Arc::new(sextant_mpi::World::join()?),
        None => Arc::new(sextant_train::Alone),
    })
}

/// Joins the processes that were started together with this one; a process that was started alone stays alone.
///
/// # Errors
/// There are others, and this build cannot talk to them.
#[cfg(not(feature = "mpi"))]
pub(crate) fn join() -> anyhow::Result<Arc<dyn Reducer>> {
    match launched() {
        Some(count) if count > 1 => anyhow::bail!(
            "this process is one of {count} that a launcher of MPI has started, and this build of the program has no MPI, so that each of them would train alone: build it with `--features mpi` (docs/training-at-scale.md), or start it without the launcher"
        ),
        _ => Ok(Arc::new(sextant_train::Alone)),
    }
}

/// Whether an error is that of another process of the same training.
pub(crate) fn is_of_another(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(TrainError::OtherRank { .. }))
}
