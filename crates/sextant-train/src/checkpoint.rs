//! Everything that a run needs to go on: weights, moments, the sampler's place, the best look at the
//! dev set. A folder, written beside its predecessor and swapped in whole.
//!
//! Random streams need no state of their own: they are functions of the recipe's seed and of counters
//! that are here.

use crate::optimizer::Moments;
use crate::{AdamW, SamplerState, TrainError, WeightingState};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sextant_files::{Existing, FolderKind, replace_folder};
use sextant_model::{Archive, ModelError, RelevanceModel, bundle};
use std::collections::BTreeMap;
use std::path::Path;

/// The file that makes a folder a checkpoint.
const STATE: &str = "state.json";
const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
/// What a checkpoint's folder is made of.
pub(crate) const KIND: FolderKind = FolderKind { names: &[STATE, WEIGHTS, OPTIMIZER], head: STATE };

/// The small part of a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// Identifies recipe and data: a run resumes only what it began.
    pub fingerprint: String,
    /// Steps done.
    pub step: u64,
    /// Where the sampler stands.
    pub sampler: SamplerState,
    /// The best value of the dev metric, and its step.
    pub best: Option<(f64, u64)>,
    /// Looks at the dev set since then.
    pub looks_since_best: u32,
    /// Whether the dev set is to be looked at before the next step: a run was stopped between a step
    /// and the look that follows it.
    #[serde(default)]
    pub look_due: bool,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Rows trained on so far.
    pub rows: u64,
    /// Tokens trained on so far.
    pub tokens: u64,
    /// The most memory that the run's processes held, in bytes, where the system says.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
    /// What the weighing of tasks has learned.
    #[serde(default)]
    pub weighting: WeightingState,
    /// Steps that moved each parameter.
    pub parameter_steps: BTreeMap<String, u64>,
}

/// Saves a checkpoint in place of the one at `folder`.
pub fn save(
    folder: &Path,
    model: &RelevanceModel,
    optimizer: &AdamW,
    mut state: TrainingState,
) -> Result<(), TrainError> {
    let mut moments = Vec::new();
    state.parameter_steps.clear();
    for (name, entry) in optimizer.moments() {
        let Some(entry) = entry else { continue };
        state.parameter_steps.insert(name.to_owned(), entry.steps);
        for (kind, tensor) in [("first", &entry.first), ("second", &entry.second)] {
            moments.push((format!("{kind}.{name}"), tensor.clone()));
        }
    }
    replace_folder(folder, Existing::Own, KIND, |staging| {
        Archive::write_model(&staging.join(WEIGHTS), model)?;
        Archive::write_tensors(&staging.join(OPTIMIZER), moments, None)?;
        let path = staging.join(STATE);
        let json = serde_json::to_vec_pretty(&state)
            .map_err(|error| ModelError::Json { path: path.clone(), reason: error.to_string() })?;
        std::fs::write(&path, json).map_err(|source| ModelError::Io {
            action: "write",
            path,
            source,
        })
    })?;
    Ok(())
}

/// Reads the small part alone; none if there is no checkpoint at `folder`.
pub fn read_state(folder: &Path) -> Result<Option<TrainingState>, TrainError> {
    let path = folder.join(STATE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TrainError::io("read", &path)(error)),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| TrainError::Run {
        path,
        problem: format!(
            "is not a checkpoint of this version: {error}; choose another folder with `--out`, or remove this one"
        ),
    })
}

/// Gives model and optimizer what the checkpoint holds.
pub fn load(
    folder: &Path,
    state: &TrainingState,
    model: RelevanceModel,
    optimizer: &mut AdamW,
) -> Result<RelevanceModel, TrainError> {
    let model = bundle::load_weights(model, &folder.join(WEIGHTS))?;
    let archive = Archive::read(&folder.join(OPTIMIZER), |_| false)?;
    let device = model.device().inner();
    let mut failed = None;
    optimizer.restore(|name| {
        let steps = *state.parameter_steps.get(name)?;
        let mut read = |kind: &str| match archive.vector(&format!("{kind}.{name}")) {
            Ok(data) => {
                let length = data.len();
                let data = TensorData::new(data.into_owned(), [length]);
                Some(Tensor::from_data(data, &device))
            }
            Err(error) => {
                failed = Some(error);
                None
            }
        };
        Some(Moments { steps, first: read("first")?, second: read("second")? })
    });
    failed.map_or(Ok(model), |error| Err(error.into()))
}
