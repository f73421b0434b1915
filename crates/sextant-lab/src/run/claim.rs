//! Several processes on one grid: who trains what.
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

/// What came of trying to claim a run.
#[derive(Debug)]
pub(super) enum Claim {
    /// It is this process's until the lock is dropped.
    Mine(Arc<Lock>),
    /// Somebody else works on it: `process 1234`.
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

    /// Who works on a run now: `process 1234`.
    pub fn holder(&self, cell: &Cell) -> Option<String> {
        Lock::holder(&self.run_folder(cell.name()).0)
    }
}
