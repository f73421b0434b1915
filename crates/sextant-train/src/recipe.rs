//! What a user writes to state a run. Nothing here is checked beyond types and names of keys: a
//! [`crate::Plan`] does that.

use crate::backbone_recipe::BackboneRecipe;
use crate::{Decay, Mixing, Sampling, TaskWeighting};
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_data::{Encoding, Format, Labels, Quoting, ReadOptions, Separator};
use sextant_eval::Metric;
use sextant_kernels::Precision;
use sextant_model::{LoraConfig, LossConfig, Pooling, Routing};
use sextant_text::Templates;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A training run, as a TOML file states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What the run is called; its folder, and its row in tables.
    pub name: String,
    /// Decides everything random: the rows taken, their order, fresh weights, dropout.
    #[serde(default = "one")]
    pub seed: u64,
    /// The tasks to train; all six unless stated. One task makes a single-task baseline.
    #[serde(default = "all_tasks")]
    pub tasks: Vec<Task>,
    /// Precision of the products: `f32` or `bf16`.
    #[serde(default = "full_precision", with = "precision")]
    pub precision: Precision,
    /// What to train on.
    pub data: DataRecipe,
    /// What to train.
    pub model: ModelRecipe,
    /// How pairs become text.
    #[serde(default)]
    pub text: TextRecipe,
    /// What to minimise.
    #[serde(default)]
    pub loss: LossConfig,
    /// How much each task counts.
    #[serde(default, skip_serializing_if = "TaskWeighting::is_default")]
    pub task_weighting: TaskWeighting,
    /// How to step.
    #[serde(default)]
    pub optimizer: OptimizerRecipe,
    /// For how long, and with which rates.
    #[serde(default)]
    pub schedule: ScheduleRecipe,
    /// Which rows make a step.
    #[serde(default)]
    pub batch: BatchRecipe,
    /// When to look at the dev set, and what to do then.
    #[serde(default)]
    pub dev: DevRecipe,
    /// When to save, beside the looks at the dev set. It changes nothing of what comes out, so it is left
    /// out wherever a recipe is written: a run is the same run with any value, and goes on with another.
    #[serde(default, skip_serializing)]
    pub checkpoint: CheckpointRecipe,
}

fn one() -> u64 {
    1
}

fn all_tasks() -> Vec<Task> {
    Task::ALL.to_vec()
}

fn full_precision() -> Precision {
    Precision::F32
}

/// `Precision` as its name: the kernels crate knows nothing of serde.
mod precision {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use sextant_kernels::Precision;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(value: &Precision, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(value.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Precision, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
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
    /// How the files stand for characters: `utf-8` or `latin-1`.
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
    /// Train on at most so many rows, drawn at random from all tasks of the data set before those
    /// of `tasks` are chosen, so that a single-task baseline gets the rows of its task that the
    /// multi-task model gets; all unless stated.
    #[serde(default)]
    pub train_rows: Option<usize>,
    /// Watch at most so many dev rows while training, drawn likewise; all unless stated.
    #[serde(default)]
    pub dev_rows: Option<usize>,
    /// Of these tasks, keep only a share of the training rows, drawn at random after `train_rows`
    /// and before `tasks`; a smaller share is part of a larger one of the same seed. For learning
    /// curves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub task_shares: BTreeMap<Task, f64>,
}

impl DataRecipe {
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
        }
    }
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// Where the weights come from.
    pub backbone: BackboneRecipe,
    /// How the model learns the task of a row.
    pub routing: Routing,
    /// Which vector of a row its head reads: `cls`, `mean` or `last`; unless stated `last` for a decoder,
    /// `cls` for an encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Whether a tanh layer stands before the head; the checkpoint's pooler where it has one. Unless
    /// stated, encoders have it, decoders and mixtures of experts do not.
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
    /// Parameters that stay as they are, by the start of their names: `["embeddings", "trunk.0"]`.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Freeze the backbone and train low-rank adapters; all of it is trained unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// Keep only what goes into each block of the trunk, and compute the rest again in the backward
    /// pass: the same gradients with less memory, about a third slower.
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
    /// Tokens that a row may have.
    pub max_tokens: usize,
    /// How the task is named, where the routing asks for it.
    pub prefix_template: String,
    /// How entities are written.
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
    /// Rate of the top block, at its height.
    pub learning_rate: f64,
    /// Rate of heads and dense layers; `learning_rate` unless stated.
    pub head_learning_rate: Option<f64>,
    /// Rate of low-rank adapters, which take about ten times that of whole weights; `learning_rate` unless
    /// stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora_learning_rate: Option<f64>,
    /// Each block's rate is the one above it times this; 1 for equal rates.
    pub layer_decay: f64,
    /// Decoupled decay; none on norms and biases.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Largest global norm of a step's gradient; 0 for no limit.
    pub clip_norm: f64,
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
        }
    }
}

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleRecipe {
    /// Passes over the training rows.
    pub epochs: f64,
    /// Steps, in place of epochs.
    pub steps: Option<u64>,
    /// Share of the steps in which the rate rises from 0.
    pub warmup: f64,
    /// How it falls after that: `linear`, `cosine` or `constant`.
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
    /// Tokens per pack: a step with more is run in several packs whose gradients are averaged by
    /// rows, with the same result but for rounding.
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
    /// The metric that decides which weights are kept: its mean over tasks.
    pub metric: Metric,
    /// End after so many looks without a better one; never unless stated.
    pub patience: Option<u32>,
}

impl Default for DevRecipe {
    fn default() -> Self {
        Self { every: None, metric: Metric::Accuracy, patience: None }
    }
}

/// `[checkpoint]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointRecipe {
    /// Minutes after which a checkpoint is saved, when no look at the dev set has saved one meanwhile: the
    /// most work that a kill can undo. 0 for never: then looks and requests to stop alone save.
    pub minutes: f64,
}

impl Default for CheckpointRecipe {
    fn default() -> Self {
        Self { minutes: 10.0 }
    }
}
