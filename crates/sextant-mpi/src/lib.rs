//! Training in several processes over MPI: the body of `sextant_train::Reducer` that runs under
//! `mpirun`, `srun` and other launchers.
//!
//! A `World` owns a thread, which alone calls MPI, because MPI libraries want to be called from the thread
//! that started them, and a training computes on threads of a pool. Without the feature `mpi` this crate has
//! only [`launched`], which tells whether a launcher of MPI has started the process.

mod launched;
#[cfg(feature = "mpi")]
mod thread;
#[cfg(feature = "mpi")]
mod world;

pub use launched::launched;
#[cfg(feature = "mpi")]
pub use world::{MpiError, World};
