//! From a recipe to a trained bundle.
//!
//! What was typed, a [`Recipe`] (a TOML file and `--set key=value`), becomes a validated [`Plan`]
//! before anything runs. A [`Trainer`] then repeats one step: the [`Sampler`] names rows, they are
//! packed to a token budget, each pack is run forward and backward, gradients are summed and
//! averaged over the step's rows, clipped by their global norm, and applied by [`AdamW`] with a rate
//! per parameter group.
//!
//! Everything random is a function of the recipe's seed and a counter, so that the state of a run is
//! its weights, the optimizer's moments and a few integers; a [`checkpoint`] holds them, and a run
//! that was killed resumes to the same weights, bit for bit. An [`Observer`] hears of every event and
//! may break: the run then saves a checkpoint of its last step and ends with
//! [`TrainError::Interrupted`].

mod backbone_recipe;
pub mod checkpoint;
mod choose;
mod dev_metric;
mod error;
mod gradients;
mod log;
mod memory;
mod observer;
mod optimizer;
mod packs;
mod pcgrad;
mod plan;
mod prepare;
mod recipe;
mod reduction;
mod rows;
mod run_folder;
mod run_pack;
mod sampler;
mod schedule;
mod settings;
mod source;
mod step;
mod target;
mod trainer;
mod weighting;

pub use backbone_recipe::{BackboneRecipe, Initializer, ScratchRecipe};
pub use choose::{dev_positions, tasks_of, train_positions};
pub use error::TrainError;
pub use gradients::Gradients;
pub use log::JsonLog;
pub use memory::{peak_memory, reset_peak_memory};
pub use observer::{DevEvaluation, Event, Observer, Observers, StepReport};
pub use optimizer::AdamW;
pub use packs::{PlannedPack, StepPlan, SumBy, plan_packs};
pub use plan::{BackboneSource, Plan};
pub use prepare::{Encoded, Prepared};
pub use recipe::{
    BatchRecipe, CheckpointRecipe, DataRecipe, DevRecipe, ModelRecipe, OptimizerRecipe, Recipe,
    ScheduleRecipe, TextRecipe,
};
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
pub use target::{StepOptions, Target, TaskLoss};
pub use trainer::{Trainer, steps};
pub use weighting::{TaskWeighting, Weighting, WeightingState};
