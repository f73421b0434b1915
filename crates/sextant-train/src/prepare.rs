//! From a plan and a data set to what a run starts from: encoded rows and a model with its weights.

use crate::{BackboneSource, Plan, Target, TrainError};
use burn::tensor::Device;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sextant_core::{Example, Grade, Task};
use sextant_data::Dataset;
use sextant_model::{ModelSpec, RelevanceModel, bundle, freeze, initialize, parameters};
use sextant_text::{CutCount, EncodedRow, Encoder, TextConfig, Tokenizer, train_wordpiece};
use sha2::{Digest, Sha256};

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

impl Prepared {
    /// Takes the rows that the plan asks for, encodes them, and builds the model on a device.
    pub fn new(mut plan: Plan, dataset: &Dataset, device: &Device) -> Result<Self, TrainError> {
        let recipe = &plan.recipe;
        let train = take(&dataset.train, &plan.spec.tasks, recipe.data.train_rows, recipe.seed);
        // Dev rows are the same for every seed, so that runs are compared on equal rows.
        let dev = take(&dataset.dev, &plan.spec.tasks, recipe.data.dev_rows, 0);
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
        let model = RelevanceModel::zeros(plan.spec.clone(), &device.clone().autodiff())?;
        let mut model = initialize(model, plan.recipe.seed);
        if let BackboneSource::Pretrained(backbone) = &plan.backbone {
            model = backbone.load_into(model)?;
        }
        let model = freeze(model, &plan.recipe.model.freeze)?;
        if !parameters(&model).iter().any(|info| info.trainable) {
            return Err(TrainError::Plan(vec![
                "model.freeze leaves nothing to train; name fewer parameters".into(),
            ]));
        }
        Ok(Self { plan, model, encoder, train, dev })
    }

    /// Identifies what the run computes: SHA-256 of the recipe and of every row as the model sees it.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(serde_json::to_vec(&self.plan.recipe).unwrap_or_default());
        for rows in [&self.train, &self.dev] {
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
}

/// The examples of some tasks, in file order. Where there are more than `limit` examples of any task, a
/// random choice of so many is made first, and only then are tasks chosen: a single-task model
/// trains on exactly the rows of its task that a multi-task model of the same seed gets.
fn take(examples: &[Example], tasks: &[Task], limit: Option<usize>, seed: u64) -> Vec<Example> {
    let mut rows: Vec<usize> = (0..examples.len()).collect();
    if let Some(limit) = limit.filter(|&limit| limit < rows.len()) {
        rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        rows.truncate(limit);
        rows.sort_unstable();
    }
    rows.retain(|&row| tasks.contains(&examples[row].pair.task));
    rows.into_iter().map(|row| examples[row].clone()).collect()
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
