//! What a user writes to describe a training run. Only the types and the names of keys are checked here; a
//! [`crate::Plan`] checks the values.

use crate::backbone_recipe::BackboneRecipe;
use crate::by_name;
use crate::{
    AffinityRecipe, BehaviourRecipe, ConsistencyRecipe, Decay, DistributedRecipe, Mixing,
    PrecisionChoice, Sampling, TaskWeighting, TeacherRecipe,
};
use serde::{Deserialize, Serialize};
use sextant_core::{Example, Task};
use sextant_data::{Encoding, Format, Labels, Quoting, ReadOptions, Separator};
use sextant_eval::{Metric, Objective};
use sextant_kernels::{MomentFormat, Precision};
use sextant_model::{LoraConfig, LossConfig, Pooling, Routing};
use sextant_text::Templates;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A training run, as a TOML file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The name of the run, which is also that of its folder and of its row in tables.
    pub name: String,
    /// Decides everything random: the rows taken, their order, fresh weights, dropout.
    #[serde(default = "one")]
    pub seed: u64,
    /// The tasks to train; all six unless stated. One task makes a single-task baseline.
    #[serde(default = "all_tasks")]
    pub tasks: Vec<Task>,
    /// Precision of matrix products: `f32`, `bf16`, or `auto`, the one that is fastest on the processor on
    /// which the run begins. What ran is in the run's log and in its bundle.
    #[serde(default)]
    pub precision: PrecisionChoice,
    /// The data to train on.
    pub data: DataRecipe,
    /// The model to train.
    pub model: ModelRecipe,
    /// How pairs become text.
    #[serde(default)]
    pub text: TextRecipe,
    /// The loss to minimise.
    #[serde(default)]
    pub loss: LossConfig,
    /// Whose probabilities to learn besides the grades; none unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<TeacherRecipe>,
    /// A penalty on answers that contradict each other across tasks; none unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<ConsistencyRecipe>,
    /// How counts of clicks, carts and purchases are learned besides the grades; not at all unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<BehaviourRecipe>,
    /// Measures how far the gradients of tasks agree, for `sextant lab affinity`; not unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<AffinityRecipe>,
    /// How much each task counts.
    #[serde(default, skip_serializing_if = "TaskWeighting::is_default")]
    pub task_weighting: TaskWeighting,
    /// The optimizer.
    #[serde(default)]
    pub optimizer: OptimizerRecipe,
    /// How long to train, and how the learning rate changes.
    #[serde(default)]
    pub schedule: ScheduleRecipe,
    /// How the rows of each step are chosen and packed.
    #[serde(default)]
    pub batch: BatchRecipe,
    /// When to look at the dev set, and what to do then.
    #[serde(default)]
    pub dev: DevRecipe,
    /// How a training in several processes adds up and shares its memory.
    #[serde(default, skip_serializing_if = "DistributedRecipe::is_default")]
    pub distributed: DistributedRecipe,
    /// When to save a checkpoint, besides after each look at the dev set. This does not change the results
    /// of a run, so it is left out wherever a recipe is written: a run is the same run with any value, and
    /// can be resumed with another.
    #[serde(default, skip_serializing)]
    pub checkpoint: CheckpointRecipe,
}

impl Recipe {
    /// The bytes by which runs are told apart. Recipes that stated no precision meant `f32` before there was
    /// `auto`, and their runs go on: what `auto` has chosen is in a run's checkpoint and does not make it
    /// another run.
    pub fn identity(&self) -> Vec<u8> {
        let mut recipe = self.clone();
        if recipe.precision == PrecisionChoice::Auto {
            recipe.precision = PrecisionChoice::Stated(Precision::F32);
        }
        serde_json::to_vec(&recipe).unwrap_or_default()
    }
}

fn one() -> u64 {
    1
}

fn all_tasks() -> Vec<Task> {
    Task::ALL.to_vec()
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecipe {
    /// A data set: a folder with `train`, `dev` and `test` files, or a file with a `split` column.
    pub path: PathBuf,
    /// The format of a file whose name does not say it: `jsonl`, `csv`, `tsv` or `parquet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The character encoding of the files: `utf-8` or `latin-1`.
    #[serde(default)]
    pub encoding: Encoding,
    /// How cells of CSV and TSV are quoted: `rfc4180`, `backslash` (as Spark writes them) or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoting: Option<Quoting>,
    /// What separates the cells of CSV and TSV: a character, or `tab`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<Separator>,
    /// The most bytes that a row of text may have; 16 MiB unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_row_bytes: Option<usize>,
    /// The task of rows that name none.
    #[serde(default)]
    pub task: Option<Task>,
    /// Sources (`source` of a row) whose training and dev rows are left out, before any are drawn: how well a model
    /// does on test rows of a source that it has never seen.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leave_out: BTreeSet<String>,
    /// The most rows to train on; all unless stated. They are drawn at random from all tasks of the data set
    /// before those of `tasks` are chosen, so that a single-task baseline gets the rows of its task that the
    /// multi-task model gets.
    #[serde(default)]
    pub train_rows: Option<usize>,
    /// The most dev rows to evaluate on while training, drawn likewise; all unless stated.
    #[serde(default)]
    pub dev_rows: Option<usize>,
    /// For each of these tasks, the share of its training rows that is kept, for learning curves. The rows
    /// are drawn at random after `train_rows` and before `tasks` are applied. A smaller share is part of a
    /// larger one of the same seed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub task_shares: BTreeMap<Task, f64>,
}

impl DataRecipe {
    /// The task of an example, unless its source is left out.
    pub fn candidate(&self, example: &Example) -> Option<Task> {
        let left_out = example.source.as_ref().is_some_and(|name| self.leave_out.contains(name));
        (!left_out).then_some(example.pair.task)
    }

    /// How to read the files.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            format: self.format,
            encoding: self.encoding,
            quoting: self.quoting,
            separator: self.separator,
            max_row_bytes: self.max_row_bytes.unwrap_or(ReadOptions::MAX_ROW_BYTES),
            default_task: self.task,
            labels: Labels::Required,
            further: false,
            any_columns: false,
        }
    }
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// Where the weights come from.
    pub backbone: BackboneRecipe,
    /// How many of a pretrained backbone's layers are kept, from the first on; all unless stated. A model of fewer
    /// layers costs less in proportion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// How the model learns the task of a row.
    pub routing: Routing,
    /// Which vector of a row its head reads: `cls`, `mean` or `last`; unless stated `last` for a decoder,
    /// `cls` for an encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Whether there is a dense layer with tanh before the head; it starts as the pooler of the pretrained
    /// checkpoint if that has one. Unless stated, encoders have this layer; decoders and mixtures of experts
    /// do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dense: Option<bool>,
    /// Dropout before the head.
    #[serde(default = "tenth")]
    pub head_dropout: f32,
    /// Dropout of hidden states; the backbone's own unless stated.
    #[serde(default)]
    pub hidden_dropout: Option<f32>,
    /// Dropout of attention weights; the backbone's own unless stated.
    #[serde(default)]
    pub attention_dropout: Option<f32>,
    /// Parameters that are not trained, by the start of their names: `["embeddings", "trunk.0"]`.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Freeze the backbone and train low-rank adapters; unless stated, the whole backbone is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// Keep only the input of each block of the trunk, and compute the other activations again in the
    /// backward pass: the same gradients with less memory, about a third slower.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gradient_checkpointing: bool,
}

fn tenth() -> f32 {
    0.1
}

/// `[text]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextRecipe {
    /// The most tokens that a row may have.
    pub max_tokens: usize,
    /// How the task of a row is named in its text, where the routing asks for that.
    pub prefix_template: String,
    /// How entities are written as text.
    pub templates: Templates,
}

impl Default for TextRecipe {
    fn default() -> Self {
        let text = sextant_text::TextConfig::default();
        Self {
            max_tokens: text.max_tokens,
            prefix_template: text.prefix_template,
            templates: text.templates,
        }
    }
}

/// `[optimizer]`: AdamW (Loshchilov & Hutter 2019).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerRecipe {
    /// Learning rate of the top block where the schedule's factor is 1.
    pub learning_rate: f64,
    /// Learning rate of heads and dense layers; `learning_rate` unless stated.
    pub head_learning_rate: Option<f64>,
    /// Learning rate of low-rank adapters, which need about ten times that of whole weights; `learning_rate`
    /// unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora_learning_rate: Option<f64>,
    /// The rate of each block is that of the block above it times this factor; 1 gives equal rates.
    pub layer_decay: f64,
    /// Decoupled weight decay; norms and biases do not decay.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the square root of the second moment.
    pub eps: f64,
    /// Largest global norm of a step's gradient; 0 for no limit.
    pub clip_norm: f64,
    /// How the moments are stored between steps: `f32`, `bf16` or `int8`, in 8, 4 or 2 bytes for each
    /// parameter that is trained. Those of parameters with fewer than 4,096 numbers, and the moments of table
    /// rows that never had a gradient, take none to speak of in any format.
    #[serde(with = "by_name", skip_serializing_if = "by_name::is_default")]
    pub moments: MomentFormat,
}

impl Default for OptimizerRecipe {
    fn default() -> Self {
        Self {
            learning_rate: 5e-5,
            head_learning_rate: None,
            lora_learning_rate: None,
            layer_decay: 1.0,
            weight_decay: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: 1.0,
            moments: MomentFormat::F32,
        }
    }
}

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleRecipe {
    /// Passes over the training rows.
    pub epochs: f64,
    /// The number of steps, in place of `epochs`.
    pub steps: Option<u64>,
    /// Share of the steps in which the rate rises from 0.
    pub warmup: f64,
    /// How the rate falls after warm-up: `linear`, `cosine` or `constant`.
    pub decay: Decay,
}

impl Default for ScheduleRecipe {
    fn default() -> Self {
        Self { epochs: 3.0, steps: None, warmup: 0.1, decay: Decay::Linear }
    }
}

/// `[batch]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchRecipe {
    /// Rows per optimizer step.
    pub rows: usize,
    /// The most tokens in a pack. A step with more is run in several packs, whose gradients are averaged by
    /// rows; the result is the same except for rounding.
    pub pack_tokens: usize,
    /// How often each task is drawn.
    pub sampling: Sampling,
    /// Whether a step mixes tasks.
    pub mixing: Mixing,
}

impl Default for BatchRecipe {
    fn default() -> Self {
        Self {
            rows: 32,
            pack_tokens: 8192,
            sampling: Sampling::Proportional,
            mixing: Mixing::Mixed,
        }
    }
}

/// `[dev]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DevRecipe {
    /// Steps between two looks at the dev set, each followed by a checkpoint; twice an epoch unless
    /// stated.
    pub every: Option<u64>,
    /// The metric whose mean over tasks decides which weights are kept.
    pub metric: Metric,
    /// The run ends after this many looks without a better value; never unless stated.
    pub patience: Option<u32>,
    /// What decided grades are to be good at: `accuracy`, `macro_f1`, `quadratic_kappa` or
    /// `{ cost = [[…], […], […]] }`, costs by true and decided grade. The rules of the best weights are fitted on
    /// the dev rows and kept in the bundle, for each task where they help. Grades are the most probable ones
    /// unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decide: Option<Objective>,
}

impl Default for DevRecipe {
    fn default() -> Self {
        Self { every: None, metric: Metric::Accuracy, patience: None, decide: None }
    }
}

/// `[checkpoint]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointRecipe {
    /// Minutes after which a checkpoint is saved if no look at the dev set has saved one meanwhile: the most
    /// work that is lost if the run is killed. With 0, only looks at the dev set and requests to stop save
    /// checkpoints.
    pub minutes: f64,
}

impl Default for CheckpointRecipe {
    fn default() -> Self {
        Self { minutes: 10.0 }
    }
}
