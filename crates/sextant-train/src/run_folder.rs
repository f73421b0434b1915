//! A run's folder, and what is in it.

use crate::TrainError;
use crate::checkpoint::{self, State};
use serde::{Deserialize, Serialize};
use sextant_files::{AtomicFile, Existing, Lock, OwnFiles, remove_folder};
use sextant_model::bundle;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a run keeps what it makes.
#[derive(Debug, Clone)]
pub struct RunFolder(pub PathBuf);

impl RunFolder {
    /// The best weights, as a bundle.
    pub fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// The newest state.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// What happened.
    pub fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    /// What came out, as JSON.
    pub fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    /// Makes the folder, if it is not there, and keeps it for this process for as long as the lock lives.
    /// A run must be locked before anything of its folder is read: what another run leaves there must not
    /// change below it.
    ///
    /// # Errors
    /// Another process holds it: the message says which.
    pub fn lock(&self) -> Result<Arc<Lock>, TrainError> {
        std::fs::create_dir_all(&self.0).map_err(TrainError::io("create", &self.0))?;
        Ok(Arc::new(Lock::folder(&self.0)?))
    }

    /// The names that a run writes to.
    const NAMES: [&str; 4] = ["bundle", "checkpoint", "log.jsonl", "summary.json"];

    /// Looks early whether files of the user's are under names that a run writes to.
    ///
    /// # Errors
    /// Some are, and `existing` does not let them go.
    pub fn admit(&self, existing: Existing) -> Result<(), TrainError> {
        Ok(OwnFiles::of(&self.0)?.admit(Self::NAMES, existing)?)
    }

    /// Makes room for a run that does not go on with an earlier one.
    ///
    /// # Errors
    /// A run is there and is to stay, or files of the user's are under names that the run needs.
    pub(crate) fn make_room(&self, start: Start, existing: Existing) -> Result<(), TrainError> {
        let mut own = OwnFiles::of(&self.0)?;
        own.admit(Self::NAMES, existing)?;
        if start == Start::Again {
            remove_folder(&self.checkpoint(), checkpoint::KIND)?;
            remove_folder(&self.bundle(), bundle::KIND)?;
            own.remove("log.jsonl")?;
            return Ok(own.remove("summary.json")?);
        }
        if start == Start::New && (self.bundle().exists() || self.checkpoint().exists()) {
            return Err(TrainError::Run {
                path: self.0.clone(),
                problem: "holds a run already; add `--resume` to go on with it or `--overwrite` to begin again, or choose another folder with `--out`".into(),
            });
        }
        Ok(())
    }

    /// Says that what the run is about to write is this program's.
    pub(crate) fn claim(&self) -> Result<(), TrainError> {
        let mut own = OwnFiles::of(&self.0)?;
        Ok(Self::NAMES.iter().try_for_each(|name| own.claim(name))?)
    }

    /// Refuses to go on with a run whose best weights are gone: a checkpoint holds the newest ones, from
    /// which those of an earlier step cannot be made again.
    pub(crate) fn check_best(&self, state: &State) -> Result<(), TrainError> {
        match state.best {
            Some((_, best)) if !self.bundle().exists() => Err(TrainError::Run {
                path: self.bundle(),
                problem: format!(
                    "is gone, and with it the best weights, those of step {best}; the checkpoint holds step {} alone: put the folder back, or start again in another folder with `--out`",
                    state.step
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// What a run does about one that is in its folder already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// There must be none.
    New,
    /// It goes on from the checkpoint there, if there is one.
    Resume,
    /// It begins again, and the run that was there goes.
    Again,
}

/// What came out of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The recipe's name.
    pub name: String,
    /// The routing's short name.
    pub routing: String,
    /// The recipe's seed.
    pub seed: u64,
    /// Identifies recipe and data.
    pub fingerprint: String,
    /// Numbers in the model.
    pub parameters: u64,
    /// Of these, how many were trained.
    pub trainable_parameters: u64,
    /// Steps done.
    pub steps: u64,
    /// Rows trained on, repetitions counted.
    pub rows: u64,
    /// Distinct training rows.
    pub train_rows: usize,
    /// Tokens trained on.
    pub tokens: u64,
    /// Seconds spent in steps.
    pub seconds: f64,
    /// The best value of the dev metric, and its step.
    pub best: Option<(f64, u64)>,
    /// The most memory that the process held, in bytes, where the system says.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
}

impl Summary {
    /// Writes it as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<(), TrainError> {
        let mut file = AtomicFile::create(path, Existing::Own)?;
        serde_json::to_writer_pretty(&mut file, self)
            .map_err(|error| TrainError::io("write", path)(error.into()))?;
        Ok(file.commit()?)
    }
}
