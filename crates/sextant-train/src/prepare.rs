//! From a plan and a data set to what a run starts from: encoded rows and a model with its weights.

use crate::{BackboneSource, Plan, Recipe, Target, TrainError, dev_metric};
use burn::tensor::Device;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sextant_core::{Example, Grade, Prediction, Task};
use sextant_data::Dataset;
use sextant_eval::Scored;
use sextant_model::{
    ModelSpec, RelevanceModel, bundle, freeze, initialize, initialize_frozen, parameters,
};
use sextant_text::{CutCount, EncodedRow, Encoder, TextConfig, Tokenizer, train_wordpiece};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Examples with their encoded rows, side by side.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The examples.
    pub examples: Vec<Example>,
    /// Their rows, in the same order.
    pub encoded: Vec<EncodedRow>,
}

impl Rows {
    /// Encodes examples.
    pub fn encode(examples: Vec<Example>, encoder: &Encoder) -> Result<Self, TrainError> {
        let pairs: Vec<_> = examples.iter().map(|example| example.pair.clone()).collect();
        Ok(Self { encoded: encoder.encode_all(&pairs)?, examples })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The grade and the loss weight of a row.
    pub fn target(&self, row: usize) -> (Grade, f32) {
        (self.examples[row].grade, self.examples[row].weight)
    }

    /// What a step learns from a row.
    pub fn learn(&self, row: usize) -> Target<'_> {
        let (grade, weight) = self.target(row);
        Target { row: &self.encoded[row], grade, weight }
    }

    /// The task of each row.
    pub fn tasks(&self) -> Vec<Task> {
        self.examples.iter().map(|example| example.pair.task).collect()
    }

    /// What truncation took.
    pub fn cut(&self) -> CutCount {
        CutCount::of(&self.encoded)
    }
}

/// A plan with its rows as the model will see them; no weights yet.
#[derive(Debug)]
pub struct Encoded {
    /// The plan, with the vocabulary size settled.
    pub plan: Plan,
    /// From pairs to rows.
    pub encoder: Encoder,
    /// What to train on.
    pub train: Rows,
    /// What to watch.
    pub dev: Rows,
}

/// What a run starts from.
#[derive(Debug)]
pub struct Prepared {
    /// The plan, with the vocabulary size settled.
    pub plan: Plan,
    /// The model with its starting weights, on an autodiff device.
    pub model: RelevanceModel,
    /// From pairs to rows.
    pub encoder: Encoder,
    /// What to train on.
    pub train: Rows,
    /// What to watch.
    pub dev: Rows,
}

impl Encoded {
    /// Takes the rows that the plan asks for and encodes them.
    pub fn new(mut plan: Plan, dataset: &Dataset) -> Result<Self, TrainError> {
        let recipe = &plan.recipe;
        let chosen = |examples: &[Example], rows: Vec<usize>| -> Vec<Example> {
            rows.into_iter().map(|row| examples[row].clone()).collect()
        };
        let tasks = &plan.spec.tasks;
        let train = chosen(&dataset.train, train_positions(&dataset.train, recipe, tasks));
        let dev = chosen(&dataset.dev, dev_positions(&dataset.dev, recipe, tasks));
        let mut mistakes = Vec::new();
        for (part, rows) in [("train", &train), ("dev", &dev)] {
            for task in &plan.spec.tasks {
                if !rows.iter().any(|example| example.pair.task == *task) {
                    mistakes.push(format!(
                        "data.path = {}: no {part} rows of task `{task}`; add some, or leave it out of `tasks`",
                        recipe.data.path.display()
                    ));
                }
            }
        }
        if !mistakes.is_empty() {
            return Err(TrainError::Plan(mistakes));
        }
        let tokenizer = match &plan.backbone {
            BackboneSource::Pretrained(backbone) => backbone.tokenizer()?,
            BackboneSource::Scratch { vocab_size } => {
                train_wordpiece(&texts(&train, &plan.text), *vocab_size)?
            }
        };
        settle_vocabulary(&mut plan.spec, &plan.backbone, &tokenizer)?;
        let encoder = Encoder::new(tokenizer, plan.text.clone())?;
        let train = Rows::encode(train, &encoder)?;
        let dev = Rows::encode(dev, &encoder)?;
        let unanswered = Prediction { probs: [1.0, 0.0, 0.0] };
        let rows = dev.examples.iter().map(|example| Scored::of(example, unanswered));
        dev_metric::check(&plan.recipe, &rows.collect::<Vec<_>>())?;
        Ok(Self { plan, encoder, train, dev })
    }

    /// Identifies what the run computes: SHA-256 of the recipe, of a frozen base, and of every row as the
    /// model sees it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.plan, [&self.train, &self.dev])
    }

    /// Builds the model on a device.
    pub fn build(self, device: &Device) -> Result<Prepared, TrainError> {
        let Self { plan, encoder, train, dev } = self;
        let model = RelevanceModel::zeros(plan.spec.clone(), &device.clone().autodiff())?;
        let model = initialize(model, plan.recipe.seed);
        let model = match &plan.backbone {
            BackboneSource::Pretrained(backbone) => backbone.load_into(model)?,
            BackboneSource::Scratch { .. } => initialize_frozen(model, plan.recipe.seed),
        };
        let model = freeze(model, &plan.recipe.model.freeze)?;
        if !parameters(&model).iter().any(|info| info.trainable) {
            return Err(TrainError::Plan(vec![
                "model.freeze leaves nothing to train; name fewer parameters".into(),
            ]));
        }
        Ok(Prepared { plan, model, encoder, train, dev })
    }
}

impl Prepared {
    /// Takes the rows that the plan asks for, encodes them, and builds the model on a device.
    pub fn new(plan: Plan, dataset: &Dataset, device: &Device) -> Result<Self, TrainError> {
        Encoded::new(plan, dataset)?.build(device)
    }

    /// As [`Encoded::fingerprint`].
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.plan, [&self.train, &self.dev])
    }
}

fn fingerprint(plan: &Plan, parts: [&Rows; 2]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(&plan.recipe).unwrap_or_default());
    // Checkpoints do not hold a frozen base: it must be the one that they were trained over. (Of a
    // checkpoint in shards this is the index.)
    if let (Some(_), BackboneSource::Pretrained(backbone)) =
        (&plan.recipe.model.lora, &plan.backbone)
    {
        hasher.update(bundle::sha256(&backbone.weights_path()).unwrap_or_default());
    }
    for rows in parts {
        hasher.update(rows.len().to_le_bytes());
        for (row, encoded) in rows.encoded.iter().enumerate() {
            let (grade, weight) = rows.target(row);
            hasher.update([encoded.task.index() as u8, grade.index() as u8]);
            hasher.update(weight.to_le_bytes());
            hasher.update(encoded.len().to_le_bytes());
            encoded.ids.iter().for_each(|id| hasher.update(id.to_le_bytes()));
        }
    }
    bundle::hexadecimal(&hasher.finalize())
}

/// The positions of the training examples that a recipe asks for, of some tasks.
pub fn train_positions(examples: &[Example], recipe: &Recipe, tasks: &[Task]) -> Vec<usize> {
    let data = &recipe.data;
    take(examples, tasks, data.train_rows, &data.task_shares, recipe.seed)
}

/// The positions of the dev examples that a recipe asks for; the same for every seed, so that runs
/// are compared on equal rows.
pub fn dev_positions(examples: &[Example], recipe: &Recipe, tasks: &[Task]) -> Vec<usize> {
    take(examples, tasks, recipe.data.dev_rows, &BTreeMap::new(), 0)
}

/// The positions of the examples of some tasks, ascending. Where there are more than `limit` examples of any task, a
/// random choice of so many is made first, and only then are tasks chosen: a single-task model
/// trains on exactly the rows of its task that a multi-task model of the same seed gets.
///
/// Of a task in `shares` only that share is kept, at least one row; which, depends on the seed and
/// the task alone.
fn take(
    examples: &[Example],
    tasks: &[Task],
    limit: Option<usize>,
    shares: &BTreeMap<Task, f64>,
    seed: u64,
) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..examples.len()).collect();
    if let Some(limit) = limit.filter(|&limit| limit < rows.len()) {
        rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        rows.truncate(limit);
        rows.sort_unstable();
    }
    for (&task, &share) in shares {
        let mut of_task: Vec<usize> =
            rows.iter().copied().filter(|&row| examples[row].pair.task == task).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1 + task.index() as u64);
        let keep = ((of_task.len() as f64 * share).ceil() as usize).min(of_task.len());
        of_task.shuffle(&mut rng);
        let dropped: BTreeSet<usize> = of_task.split_off(keep).into_iter().collect();
        rows.retain(|row| !dropped.contains(row));
    }
    rows.retain(|&row| tasks.contains(&examples[row].pair.task));
    rows
}

/// The vocabulary must fit the word table, or, from scratch, decides its size.
fn settle_vocabulary(
    spec: &mut ModelSpec,
    backbone: &BackboneSource,
    tokenizer: &Tokenizer,
) -> Result<(), TrainError> {
    let found = tokenizer.vocab_size();
    match backbone {
        BackboneSource::Scratch { .. } => spec.backbone.vocab_size = found,
        BackboneSource::Pretrained(_) if found <= spec.backbone.vocab_size => {}
        BackboneSource::Pretrained(backbone) => {
            return Err(TrainError::Plan(vec![format!(
                "{}: has {found} entries, but the word table has {}; is it of the same model?",
                backbone.tokenizer_path().display(),
                spec.backbone.vocab_size
            )]));
        }
    }
    Ok(())
}

/// Every text that rows may hold, for making a vocabulary: entities' fields and task names.
fn texts(examples: &[Example], text: &TextConfig) -> Vec<String> {
    let mut texts: Vec<String> = Task::ALL
        .iter()
        .map(|task| text.prefix_template.replace("{task}", task.as_str()))
        .collect();
    texts.push(text.templates.product.replace(['{', '}'], " "));
    for example in examples {
        for side in [&example.pair.left, &example.pair.right] {
            texts.push(side.text().to_owned());
            if let sextant_core::Entity::Product(product) = side {
                texts.extend(product.brand.iter().chain(&product.description).cloned());
                texts.extend(
                    product.attributes.iter().map(|(name, value)| format!("{name} {value}")),
                );
                texts.extend(product.type_path.iter().cloned());
            }
        }
    }
    texts
}
