//! Everything that a run needs to resume: weights, moments, the sampler's position, the best look at the dev
//! set. A checkpoint is a folder that is written beside its predecessor and then replaces it as a whole.
//!
//! Random streams need no state of their own: they are functions of the recipe's seed and of counters that a
//! checkpoint stores.

use crate::agree::agree;
use crate::by_name;
use crate::moments::ParameterState;
use crate::moments_file;
use crate::sharded_moments;
use crate::{AdamW, Reducer, SamplerState, TaskAffinity, TrainError, WeightingState};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sextant_files::{Existing, FolderKind, replace_folder};
use sextant_kernels::Precision;
use sextant_model::{Archive, ModelError, RelevanceModel, bundle};
use std::collections::BTreeMap;
use std::path::Path;

/// The file that makes a folder a checkpoint.
const STATE: &str = "state.json";
const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
/// The files of a checkpoint's folder.
pub(crate) const KIND: FolderKind = FolderKind { names: &[STATE, WEIGHTS, OPTIMIZER], head: STATE };

/// The state of a run except its tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// Identifies the recipe and the data: a run resumes only from a checkpoint with its own fingerprint.
    pub fingerprint: String,
    /// Steps done.
    pub step: u64,
    /// The sampler's position.
    pub sampler: SamplerState,
    /// What the run computes in. Checkpoints of runs in `f32`, and those from before there was a choice, do not
    /// say it.
    #[serde(default, skip_serializing_if = "by_name::is_default", with = "by_name")]
    pub precision: Precision,
    /// The best value of the dev metric, and its step.
    pub best: Option<(f64, u64)>,
    /// Looks at the dev set since the best one.
    pub looks_since_best: u32,
    /// Whether the next thing to do is a look at the dev set, because the run was stopped between a step and
    /// the look that follows it.
    #[serde(default)]
    pub look_due: bool,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Rows trained on so far.
    pub rows: u64,
    /// Tokens trained on so far.
    pub tokens: u64,
    /// The most memory that the run's processes held, in bytes, where the operating system reports it.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
    /// What task weighting has learned.
    #[serde(default)]
    pub weighting: WeightingState,
    /// What looks at the gradients of tasks have found.
    #[serde(default, skip_serializing_if = "TaskAffinity::is_empty")]
    pub affinity: TaskAffinity,
    /// The number of processes that trained together when the checkpoint was saved. Checkpoints of one process
    /// do not say it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: usize,
    /// For the name of each parameter, the number of steps that updated it.
    pub parameter_steps: BTreeMap<String, u64>,
}

/// Where the parameter that does not belong to the model stands, in the file of the optimizer.
const FURTHER: &str = "further";

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

/// Saves a checkpoint in place of the one at `folder`, which rank 0 writes. All ranks call this, since each may
/// keep a share of the moments. `further` is a parameter that is trained but does not belong to the model.
pub(crate) fn save(
    folder: &Path,
    (model, further): (&RelevanceModel, Option<&Tensor<2>>),
    optimizer: &AdamW,
    state: TrainingState,
    reducer: &dyn Reducer,
) -> Result<(), TrainError> {
    let sharded = optimizer.shard().is_some();
    let saved = match reducer.rank() {
        0 => {
            let written = write(folder, (model, further), optimizer, state, reducer);
            if sharded { sharded_moments::finish(reducer).and(written) } else { written }
        }
        _ if sharded => sharded_moments::serve(optimizer, reducer),
        _ => Ok(()),
    };
    agree(reducer, saved)
}

fn write(
    folder: &Path,
    (model, further): (&RelevanceModel, Option<&Tensor<2>>),
    optimizer: &AdamW,
    mut state: TrainingState,
    reducer: &dyn Reducer,
) -> Result<(), TrainError> {
    let mut moments = Vec::new();
    state.parameter_steps.clear();
    for (index, (name, layout, entry)) in optimizer.states().enumerate() {
        let Some(entry) = entry else { continue };
        state.parameter_steps.insert(name.to_owned(), entry.steps);
        if optimizer.shard().is_none() {
            moments_file::add(&mut moments, name, layout, &entry.moments);
        } else {
            let parameter = (index, name, layout);
            sharded_moments::add(&mut moments, parameter, &entry.moments, reducer);
        }
    }
    if let Some(matrix) = further {
        moments.push((FURTHER.to_owned(), Box::new(matrix.clone().inner())));
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

/// Reads only the state of the checkpoint at `folder`; `None` if there is no checkpoint.
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

/// Loads the checkpoint's weights into the model and into `further`, and its moments into the optimizer.
pub fn load(
    folder: &Path,
    state: &TrainingState,
    model: RelevanceModel,
    further: Option<&mut Tensor<2>>,
    optimizer: &mut AdamW,
) -> Result<RelevanceModel, TrainError> {
    let model = bundle::load_weights(model, &folder.join(WEIGHTS))?;
    let archive = Archive::read(&folder.join(OPTIMIZER), |_| false)?;
    let device = model.device().inner();
    optimizer.restore(|name, layout| {
        let Some(&steps) = state.parameter_steps.get(name) else { return Ok(None) };
        let moments = moments_file::read(&archive, name, layout, &device)?;
        Ok::<_, ModelError>(Some(ParameterState { steps, moments }))
    })?;
    if let Some(matrix) = further {
        let shape = matrix.dims();
        let values = archive.get(FURTHER, &shape)?.into_owned();
        let values = Tensor::<2>::from_data(TensorData::new(values, shape), &matrix.device());
        *matrix = values.require_grad();
    }
    Ok(model)
}
