//! What a user writes to state a grid of runs. Names of keys and types are checked here; a
//! [`Grid`](crate::Grid) checks the rest.

use crate::LabError;
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_eval::Vote;
use sextant_kernels::ScorePrecision;
use sextant_model::Routing;
use sextant_train::{AffinityRecipe, by_name, parse_toml};
use std::path::Path;

/// A lab recipe, as a TOML file states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabRecipe {
    /// What the grid is called: the heading of its report.
    pub name: String,
    /// An ordinary training recipe, whose `name`, `seed`, `tasks`, `model.backbone` and
    /// `model.routing` each run sets for itself.
    pub base: toml::Table,
    /// The precision in which finished runs answer the dev and test rows, as `--precision` of `sextant score`.
    #[serde(default, skip_serializing_if = "by_name::is_default", with = "by_name")]
    pub score_precision: ScorePrecision,
    /// What to train.
    pub grid: GridRecipe,
    /// Runs that show how accuracy depends on the number of training rows of a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_curves: Option<CurveRecipe>,
    /// Runs that show which tasks help which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<AffinityGrid>,
    /// Ensembles of the trained models.
    #[serde(default)]
    pub ensembles: EnsembleRecipe,
    /// A search for hyper-parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchRecipe>,
    /// What the report compares.
    #[serde(default)]
    pub report: ReportRecipe,
}

/// `[grid]`: every backbone with every routing and every seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridRecipe {
    /// Pretrained models, or sizes of fresh ones.
    pub backbones: Vec<BackboneAxis>,
    /// How the model learns the task of a row.
    pub routings: Vec<Routing>,
    /// Seeds; the first of them is run for everything before the next begins.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Whether to train a model for each task alone, the baselines of a multi-task model: shared
    /// head, no prefix, the rows of its task that the multi-task model gets.
    #[serde(default)]
    pub single_task: bool,
    /// `"equal"`: also single-task models that run as many steps as the multi-task model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_task_steps: Option<EqualSteps>,
    /// Which of the seeds these models are run with, each of which costs as much as six multi-task models; all unless
    /// stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_task_steps_seeds: Option<Vec<u64>>,
    /// Further runs with a routing and other keys of the training recipe, after the grid itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

/// `grid.single_task_steps`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EqualSteps {
    /// As many steps as the multi-task model.
    Equal,
}

/// One of `grid.backbones`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneAxis {
    /// The backbone, as `model.backbone` of a training recipe states it: a name, a folder, or sizes.
    pub backbone: toml::Value,
    /// The backbone's label in names of runs and in tables; the backbone's name unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Keys of the training recipe that have other values for this backbone.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub set: toml::Table,
    /// Seeds for this backbone, if all seeds of the grid would cost too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
    /// Routings for this backbone, if all routings of the grid would cost too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routings: Option<Vec<Routing>>,
    /// Like `grid.single_task_steps`, for this backbone alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_task_steps: Option<EqualSteps>,
}

impl BackboneAxis {
    /// The backbone's label in names of runs.
    pub(crate) fn label(&self) -> String {
        let plain = self.backbone.as_str().unwrap_or("scratch");
        self.label.clone().unwrap_or_else(|| plain.rsplit('/').next().unwrap_or(plain).to_owned())
    }

    /// Whether the backbone's label is among these; without a list every backbone is meant.
    pub(crate) fn is_named_in(&self, labels: Option<&[String]>) -> bool {
        labels.is_none_or(|labels| labels.contains(&self.label()))
    }
}

/// One of `grid.variants`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The label that takes the place of the routing's label in names, such as `prefix-bf16`.
    pub label: String,
    /// The routing.
    pub routing: Routing,
    /// Keys of the training recipe.
    pub set: toml::Table,
    /// Which of the backbones' seeds it is run with; all unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
    /// The labels of the backbones that it is run with; all unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbones: Option<Vec<String>>,
}

/// `[learning_curves]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveRecipe {
    /// The tasks whose training rows are reduced, one task at a time.
    pub tasks: Vec<Task>,
    /// The shares of their training rows that are kept; the share 1.0 is the grid's own run.
    pub shares: Vec<f64>,
    /// The multi-task model's routing; the grid's first unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Seeds; the grid's first unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
    /// The labels of the backbones; all unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbones: Option<Vec<String>>,
}

/// `[affinity]`: a model of each pair of tasks, one of each task alone, and one of all tasks whose gradients are
/// compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffinityGrid {
    /// The routing of the models of several tasks; the grid's first unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Seeds; the grid's unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
    /// The labels of the backbones; all unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backbones: Option<Vec<String>>,
    /// Steps between two looks at the gradients.
    pub every: u64,
}

impl Default for AffinityGrid {
    fn default() -> Self {
        Self { routing: None, seeds: None, backbones: None, every: AffinityRecipe::default().every }
    }
}

/// `[ensembles]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnsembleRecipe {
    /// The rules by which members vote.
    pub rules: Vec<Vote>,
    /// Ensembles over routings, beside those over the seeds of every cell: lists of run labels such
    /// as `["minilm-prefix", "minilm-multi-head"]`, each with all its seeds.
    pub mixed: Vec<Vec<String>>,
}

impl Default for EnsembleRecipe {
    fn default() -> Self {
        Self { rules: Vote::ALL.to_vec(), mixed: Vec::new() }
    }
}

/// How a search reduces the number of its settings from round to round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheduler {
    /// By rounds: all settings of a round run before the best of them go on (successive halving,
    /// Jamieson & Talwalkar 2016).
    #[default]
    Halving,
    /// As soon as a setting is among the best of those that finished its round, it goes on (ASHA, Li et
    /// al. 2020): a search that is cut short has settings that ran to the end.
    Asha,
}

/// `[search]`: random search whose settings are reduced by a [`Scheduler`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRecipe {
    /// How many settings are drawn.
    pub trials: usize,
    /// When settings go on to the next round.
    #[serde(default)]
    pub scheduler: Scheduler,
    /// One in `eta` settings of a round goes on to the next round; 1 for plain random search.
    #[serde(default = "three")]
    pub eta: usize,
    /// Rounds: the last trains as long as the base recipe says, each one before it `eta` times
    /// shorter.
    #[serde(default = "one")]
    pub rounds: usize,
    /// The seed with which settings are drawn.
    #[serde(default)]
    pub seed: u64,
    /// The backbone, by its label; the grid's first unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<String>,
    /// The routing; the grid's first unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// The keys of the training recipe to draw, and what each is drawn from.
    pub keys: std::collections::BTreeMap<String, Draw>,
}

fn three() -> usize {
    3
}

fn one() -> usize {
    1
}

/// What a key's values are drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// A number between two bounds, on a logarithmic scale.
    LogUniform([f64; 2]),
    /// A number between two bounds.
    Uniform([f64; 2]),
    /// One value of a list.
    Choice(Vec<toml::Value>),
}

/// One percentage point.
const DEFAULT_MARGIN: f64 = 0.01;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_default_margin(margin: &f64) -> bool {
    *margin == DEFAULT_MARGIN
}

/// `[report]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportRecipe {
    /// The run label that others are tested against, such as `minilm-prefix`; the grid's first
    /// unless stated.
    pub reference: Option<String>,
    /// Number of bootstrap resamples for intervals.
    pub replicates: usize,
    /// Number of bootstrap resamples for the p-values that are corrected. The smallest possible p-value
    /// is about 2 divided by this number.
    pub test_replicates: usize,
    /// The family-wise error rate, after Holm's correction, at which a difference is marked.
    pub alpha: f64,
    /// The loss of accuracy, as a share of rows, at which a system is preferred for its lower cost: the
    /// verdict ships the cheapest system that is shown to be no further behind the most accurate one.
    #[serde(skip_serializing_if = "is_default_margin")]
    pub margin: f64,
    /// Paragraphs that open the report, in Markdown.
    pub introduction: String,
}

impl Default for ReportRecipe {
    fn default() -> Self {
        Self {
            reference: None,
            replicates: 1000,
            test_replicates: 10_000,
            alpha: 0.05,
            margin: DEFAULT_MARGIN,
            introduction: String::new(),
        }
    }
}

impl LabRecipe {
    /// Reads a recipe's text and changes it as each `key=value` of `settings` says; keys are those
    /// of the lab recipe: `base.schedule.epochs=1.0`, `grid.seeds=[1]`.
    pub fn parse(text: &str, origin: &str, settings: &[String]) -> Result<Self, LabError> {
        Ok(parse_toml(text, origin, settings)?)
    }

    /// Reads a recipe's file.
    pub fn read(path: &Path, settings: &[String]) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(LabError::io("read", path))?;
        Self::parse(&text, &path.display().to_string(), settings)
    }
}
