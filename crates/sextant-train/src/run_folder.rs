//! A run's folder, and what is in it.

use crate::checkpoint::{self, TrainingState};
use crate::{TaskAffinity, TrainError};
use serde::{Deserialize, Serialize};
use sextant_files::{AtomicFile, Existing, Lock, OwnFiles, remove_folder, sha256};
use sextant_model::bundle;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder in which a run keeps its files.
#[derive(Debug, Clone)]
pub struct RunFolder(pub PathBuf);

impl RunFolder {
    /// The folder of the bundle with the best weights.
    pub fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// The folder of the newest checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// The log of the run's events.
    pub fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    /// The page with the run's training curves, which whoever draws them writes.
    pub fn curves(&self) -> PathBuf {
        self.0.join(Self::CURVES)
    }

    /// The file with the run's [`Summary`], as JSON.
    pub fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    /// Creates the folder if it does not exist, and reserves it for this process for as long as the lock
    /// lives. A run's folder must be locked before anything in it is read, so that no other run changes its
    /// files meanwhile.
    ///
    /// # Errors
    /// Another process holds the lock; the message says which one.
    pub fn lock(&self) -> Result<Arc<Lock>, TrainError> {
        std::fs::create_dir_all(&self.0).map_err(TrainError::io("create", &self.0))?;
        Ok(Arc::new(Lock::folder(&self.0)?))
    }

    /// Those of `NAMES` that are folders.
    const FOLDERS: [&str; 2] = ["bundle", "checkpoint"];
    /// The names of the files and folders that a run writes.
    const NAMES: [&str; 5] = ["bundle", "checkpoint", Self::CURVES, "log.jsonl", "summary.json"];
    /// The name of the page of curves.
    pub const CURVES: &str = "curves.html";

    /// Checks, before any work is done, whether the user's own files have names that a run writes to.
    ///
    /// # Errors
    /// There are such files, and `existing` does not permit replacing them.
    pub fn admit(&self, existing: Existing) -> Result<(), TrainError> {
        Ok(self.own()?.admit(Self::NAMES, existing)?)
    }

    /// Makes room for a run that does not go on with an earlier one.
    ///
    /// # Errors
    /// The folder holds a run that `start` does not replace, or the user's own files have names that the run
    /// needs.
    pub(crate) fn make_room(
        &self,
        start: Start,
        existing: Existing,
        fingerprint: &str,
    ) -> Result<(), TrainError> {
        let mut own = self.own()?;
        own.admit(Self::NAMES, existing)?;
        let problem = match start {
            Start::Again => {
                if existing == Existing::Overwrite && self.bundle().exists() {
                    tracing::warn!("overwrites the run in {}", self.0.display());
                }
                // The old bundle stays until the first look at the dev set gives a new one.
                remove_folder(&self.checkpoint(), checkpoint::KIND)?;
                own.remove(Self::CURVES)?;
                own.remove("log.jsonl")?;
                return Ok(own.remove("summary.json")?);
            }
            Start::New if self.bundle().exists() || self.checkpoint().exists() => {
                "holds a run already; add `--resume` to go on with it or `--overwrite` to begin again, or choose another folder with `--out`"
            }
            Start::Resume if self.summary().exists() => {
                "holds a finished run whose checkpoint is gone, so that there is nothing to go on from; add `--overwrite` in place of `--resume` to begin again, or choose another folder with `--out`"
            }
            // A run that is stopped between its first bundle and its first checkpoint begins again.
            Start::Resume if self.bundle().exists() && self.saved_step(fingerprint).is_none() => {
                "holds the bundle of another recipe or of other data, and no checkpoint; choose another folder with `--out`, or add `--overwrite` in place of `--resume`"
            }
            Start::New | Start::Resume => return Ok(()),
        };
        Err(TrainError::Run { path: self.0.clone(), problem: problem.into() })
    }

    fn own(&self) -> Result<OwnFiles, TrainError> {
        Ok(OwnFiles::of(&self.0)?.with_folders(&Self::FOLDERS))
    }

    /// The step after which the bundle's weights were saved. `None` if the bundle is missing or damaged, or
    /// if another run saved it.
    fn saved_step(&self, fingerprint: &str) -> Option<u64> {
        let folder = self.bundle();
        let manifest = bundle::read_manifest(&folder).ok()?;
        let is_whole = manifest
            .files
            .iter()
            .all(|(name, hash)| sha256(&folder.join(name)).is_ok_and(|found| found == *hash));
        let ours = manifest.provenance.get("fingerprint")?.as_str()? == fingerprint;
        manifest.provenance.get("step")?.as_u64().filter(|_| is_whole && ours)
    }

    /// Records that the files that the run is about to write belong to this program, whatever will be in
    /// them. The page of curves is known by its content, since it is written whole.
    pub(crate) fn claim(&self) -> Result<(), TrainError> {
        let mut own = self.own()?;
        let changing = Self::NAMES.iter().filter(|&&name| name != Self::CURVES);
        Ok(changing.into_iter().try_for_each(|name| own.claim(name))?)
    }

    /// Refuses to go on with a run whose best weights are lost: a checkpoint holds only the newest weights,
    /// from which those of an earlier step cannot be computed. The bundle may be newer than the checkpoint,
    /// if the run was stopped between saving the two.
    pub(crate) fn check_best(&self, state: &TrainingState) -> Result<(), TrainError> {
        let Some((_, best)) = state.best else { return Ok(()) };
        if self.saved_step(&state.fingerprint).is_some_and(|step| step >= best) {
            return Ok(());
        }
        let found = if self.bundle().exists() {
            "is damaged or is not the one that this run saved"
        } else {
            "is gone"
        };
        Err(TrainError::Run {
            path: self.bundle(),
            problem: format!(
                "{found}, and with it the best weights, those of step {best}, are lost; the checkpoint holds step {} alone: put the folder back, or start again in another folder with `--out`",
                state.step
            ),
        })
    }
}

/// What happens to a run that is already in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The folder must not hold a run.
    New,
    /// The run goes on from the checkpoint in the folder, if there is one.
    Resume,
    /// The run begins anew and replaces the earlier one.
    Again,
}

/// The results of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The recipe's name.
    pub name: String,
    /// The routing's short name.
    pub routing: String,
    /// The recipe's seed.
    pub seed: u64,
    /// Identifies the recipe and the data.
    pub fingerprint: String,
    /// The number of parameters of the model.
    pub parameters: u64,
    /// How many of these parameters were trained.
    pub trainable_parameters: u64,
    /// The number of steps done.
    pub steps: u64,
    /// Rows trained on, counting repetitions.
    pub rows: u64,
    /// Distinct training rows.
    pub train_rows: usize,
    /// Tokens trained on.
    pub tokens: u64,
    /// Seconds spent in steps.
    pub seconds: f64,
    /// The best value of the dev metric, and the step after which it was found.
    pub best: Option<(f64, u64)>,
    /// How far the gradients of tasks agreed, if the recipe asked for it.
    #[serde(default, skip_serializing_if = "TaskAffinity::is_empty")]
    pub affinity: TaskAffinity,
    /// The most memory that the process held, in bytes, where the operating system reports it.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
}

impl Summary {
    /// Writes the summary as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<(), TrainError> {
        let mut file = AtomicFile::create(path, Existing::Own)?;
        serde_json::to_writer_pretty(&mut file, self)
            .map_err(|error| TrainError::io("write", path)(error.into()))?;
        Ok(file.commit()?)
    }
}
