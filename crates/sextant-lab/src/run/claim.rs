//! How several processes divide the runs of one grid among themselves.
//!
//! A process claims a run by locking the run's folder, for as long as it trains the run, asks it for
//! its answers and writes its line into the ledger. A process that dies loses its claims, so that
//! another one can go on from its checkpoint.

use super::Lab;
use crate::LabError;
use crate::cell::Cell;
use sextant_files::{FileError, Lock};
use sextant_train::TrainError;
use std::sync::Arc;

/// The result of trying to claim a run.
#[derive(Debug)]
pub(super) enum Claim {
    /// The run belongs to this process until the lock is dropped.
    Mine(Arc<Lock>),
    /// Another process works on the run, such as `process 1234`.
    Held(String),
}

impl Lab {
    /// Tries to claim a run.
    pub(super) fn claim(&self, cell: &Cell) -> Result<Claim, LabError> {
        match self.run_folder(cell.name()).lock() {
            Ok(lock) => Ok(Claim::Mine(lock)),
            Err(TrainError::Files(FileError::InUse { holder, .. })) => Ok(Claim::Held(holder)),
            Err(error) => Err(error.into()),
        }
    }

    /// The process that works on a run now, such as `process 1234`.
    pub fn holder(&self, cell: &Cell) -> Option<String> {
        Lock::holder(&self.run_folder(cell.name()).0)
    }
}
