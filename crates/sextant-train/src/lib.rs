//! Trains a model from a recipe and saves it as a bundle.
//!
//! A [`Recipe`] is what the user typed: a TOML file and `--set key=value`. It becomes a validated [`Plan`]
//! before anything runs. A [`Trainer`] then repeats one step: the [`Sampler`] chooses rows; they are packed
//! to a token budget; each pack is run forward and backward; the gradients are summed, averaged over the
//! step's rows and clipped by their global norm; and [`AdamW`] applies them with a learning rate per
//! parameter group.
//!
//! A step's packs may run in several processes, which a [`Reducer`] connects: the weights are the same, bit for
//! bit. A process alone is one of them, with the reducer [`Alone`].
//!
//! Everything random is a function of the recipe's seed and of counters. The state of a run is therefore
//! only its weights, the optimizer's moments and a few integers. A [`checkpoint`] holds them, and a run that
//! was killed resumes to the same weights, bit for bit. An [`Observer`] receives every event and may break:
//! the run then saves a checkpoint of its last step and ends with [`TrainError::Interrupted`].

mod affinity;
mod agree;
mod backbone_recipe;
mod balance;
mod behaviour;
mod best;
pub mod by_name;
pub mod checkpoint;
mod choose;
mod computation;
mod consistency;
mod consistency_recipe;
mod dev_metric;
mod distributed;
mod error;
mod event_json;
mod gradients;
mod history;
mod job;
mod log;
mod memory;
mod metered;
mod moments;
mod moments_file;
mod observed;
mod observer;
mod optimizer;
mod packs;
mod pcgrad;
mod plan;
mod prepare;
mod recipe;
mod reducer;
mod reduction;
mod rows;
mod run_folder;
mod run_pack;
mod sampler;
mod schedule;
mod settings;
mod shard;
mod sharded_moments;
mod source;
mod spread;
mod step;
mod target;
mod task_gradients;
mod taught;
mod teacher;
mod trainer;
mod ungraded;
mod weighting;

pub use affinity::{AffinityRecipe, TaskAffinity};
pub use agree::{agree, rank_0_first};
pub use backbone_recipe::{BackboneRecipe, Initializer, ScratchRecipe};
pub use behaviour::{BehaviourLoss, BehaviourRecipe, TargetOfBehaviour};
pub use choose::{candidates, dev_positions, train_positions};
pub use computation::{Computation, PrecisionChoice};
pub use consistency::Triangles;
pub use consistency_recipe::ConsistencyRecipe;
pub use distributed::{DistributedRecipe, ReductionOrder};
pub use error::TrainError;
pub use gradients::Gradients;
pub use history::{History, LoggedLook, LoggedStep};
pub use log::JsonLog;
pub use memory::{peak_memory, reset_peak_memory};
pub use metered::Communication;
pub use observer::{DevEvaluation, Event, Observer, Observers, StepReport};
pub use optimizer::AdamW;
pub use packs::{PlannedPack, StepPlan, SumBy, plan_packs};
pub use plan::{BackboneSource, Plan};
pub use prepare::{Encoded, Prepared};
pub use recipe::{
    BatchRecipe, CheckpointRecipe, DataRecipe, DevRecipe, ModelRecipe, OptimizerRecipe, Recipe,
    ScheduleRecipe, TextRecipe,
};
pub use reducer::{Alone, Received, ReduceError, Reducer};
pub use reduction::{Reduced, Reduction};
pub use rows::Rows;
pub use run_folder::{RunFolder, Start, Summary};
pub use run_pack::{PackLosses, StepPass, run_pack};
pub use sampler::{Mixing, Sampler, SamplerState, Sampling};
pub use schedule::{Decay, Schedule};
pub use settings::{parse_recipe, parse_toml};
pub use sextant_data::{LoadedDataset, RowOrigin};
pub use source::{DatasetFiles, ExampleSource, SourceRow, StoppableSource, Visit, open_source};
pub use step::{StepGradients, gradients};
pub use target::{StepOptions, Target, TargetOfTeacher, TaskLoss};
pub use teacher::{LayerTeacher, LayersRecipe, PlannedLayers, TeacherRecipe};
pub use trainer::{Trainer, steps};
pub use weighting::{TaskWeighting, Weighting, WeightingState};
