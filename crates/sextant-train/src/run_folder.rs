//! A run's folder, and what is in it.

use crate::TrainError;
use crate::checkpoint::{self, State};
use serde::{Deserialize, Serialize};
use sextant_files::{AtomicFile, FolderLock, UNFINISHED};
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
    pub fn lock(&self) -> Result<Arc<FolderLock>, TrainError> {
        std::fs::create_dir_all(&self.0).map_err(TrainError::io("create", &self.0))?;
        Ok(Arc::new(FolderLock::acquire(&self.0)?))
    }

    /// Refuses a folder whose `checkpoint` is something else, which saving would replace.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let path = self.checkpoint();
        let foreign = std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some())
            && !path.join(checkpoint::STATE).exists();
        if foreign {
            return Err(TrainError::Run {
                path,
                problem:
                    "is not a checkpoint and would be replaced; choose another folder with `--out`"
                        .into(),
            });
        }
        Ok(())
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

    /// Removes what saves that were killed left here.
    pub(crate) fn remove_unfinished(&self) -> Result<(), TrainError> {
        let remove = || -> std::io::Result<()> {
            for entry in std::fs::read_dir(&self.0)? {
                let entry = entry?;
                let ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
                if ours && entry.file_type()?.is_dir() {
                    std::fs::remove_dir_all(entry.path())?;
                }
            }
            Ok(())
        };
        remove().map_err(TrainError::io("clean", &self.0))
    }
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
        let mut file = AtomicFile::create(path)?;
        serde_json::to_writer_pretty(&mut file, self)
            .map_err(|error| TrainError::io("write", path)(error.into()))?;
        Ok(file.commit()?)
    }
}
