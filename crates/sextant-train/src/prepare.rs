//! Turns a plan and a data set into what a run starts from: encoded rows, and a model with initial weights.

use crate::balance::balance;
use crate::choose::Choice;
use crate::observed::observed;
use crate::rows::RowsBuilder;
use crate::taught::taught;
use crate::ungraded::{add_ungraded, held_out};
use crate::{
    BackboneSource, BehaviourLoss, ExampleSource, Initializer, LayerTeacher, Plan, Rows,
    TargetOfBehaviour, TargetOfTeacher, TrainError, Triangles, dev_metric,
};
use sextant_core::{Entity, Pair, Prediction, Split, Task};
use sextant_model::{
    Device, RelevanceModel, freeze, initialize, initialize_frozen, initialize_mimetic, parameters,
};
use sextant_text::{Encoder, TextConfig, TextError, WordCounts};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// A plan with its encoded rows, before there is a model.
#[derive(Debug)]
pub struct Encoded {
    /// The plan, with the final vocabulary size.
    pub plan: Plan,
    /// Encodes pairs as rows of tokens.
    pub encoder: Encoder,
    /// The training rows.
    pub train: Rows,
    /// The dev rows.
    pub dev: Rows,
    /// The triangles of consistency training; none without it.
    pub triangles: Triangles,
    /// The loss of behaviour, if the training rows have some that is learned.
    pub behaviour: Option<BehaviourLoss>,
}

/// What a run starts from.
#[derive(Debug)]
pub struct Prepared {
    /// The plan, with the final vocabulary size.
    pub plan: Plan,
    /// The model with its starting weights, on an autodiff device.
    pub model: RelevanceModel,
    /// Encodes pairs as rows of tokens.
    pub encoder: Encoder,
    /// The training rows.
    pub train: Rows,
    /// The dev rows.
    pub dev: Rows,
    /// The triangles of consistency training; none without it.
    pub triangles: Triangles,
    /// The teacher whose layers the model learns, if it learns any.
    pub layers: Option<LayerTeacher>,
    /// The loss of behaviour, if the training rows have some that is learned.
    pub behaviour: Option<BehaviourLoss>,
}

impl Encoded {
    /// Reads the rows that the plan asks for and encodes them.
    ///
    /// The source is read up to three times: for the tasks of all rows, from which the rows of the run are
    /// chosen; for the vocabulary of a backbone from scratch; and for the rows themselves. So only a few
    /// thousand rows are ever held as text.
    pub fn new(mut plan: Plan, source: &dyn ExampleSource) -> Result<Self, TrainError> {
        let recipe = &plan.recipe;
        let choice = Choice::new(source, recipe, &plan.spec.tasks)?;
        let tokenizer = match &plan.backbone {
            BackboneSource::Pretrained(backbone) => backbone.tokenizer()?,
            BackboneSource::Scratch { vocab_size, .. } => {
                let mut words = WordCounts::default();
                fixed_texts(&plan.text).try_for_each(|text| words.add(&text))?;
                choice.visit(source, &[Split::Train], &mut |row| {
                    let Pair { left, right, .. } = &row.example.pair;
                    add_words(&mut words, left)?;
                    Ok(add_words(&mut words, right)?)
                })?;
                words.train_wordpiece(*vocab_size)?
            }
        };
        // The tokenizer of a pretrained backbone was compared with the size of its word embedding table when
        // it was read.
        if let BackboneSource::Scratch { .. } = &plan.backbone {
            plan.spec.backbone.vocab_size = tokenizer.vocab_size();
        }
        let encoder = Encoder::new(tokenizer, plan.text.clone())?;
        let wanted = &plan.recipe.behaviour;
        let mut train = RowsBuilder::new(&encoder, source.files(), choice.train.len())
            .keeping_behaviour(wanted.is_some());
        let mut dev = RowsBuilder::new(&encoder, source.files(), choice.dev.len()).keeping_groups();
        choice.visit(source, &[Split::Train, Split::Dev], &mut |row| match row.split {
            Split::Dev => dev.push(row),
            _ => train.push(row),
        })?;
        let unlabelled = plan.recipe.teacher.as_ref().and_then(|t| t.unlabelled.as_ref());
        let behaving = wanted.as_ref().and_then(|wanted| wanted.rows.as_ref());
        let of_triangles = plan.recipe.consistency.as_ref().and_then(|c| c.unlabelled.as_ref());
        let held_out = match unlabelled.or(behaving).or(of_triangles) {
            Some(_) => held_out(&plan, source)?,
            None => HashSet::new(),
        };
        let unlabelled = match unlabelled {
            Some(path) => add_ungraded(&plan, path, &held_out, &mut train)?,
            None => Vec::new(),
        };
        let graded = train.len();
        if let Some(path) = behaving {
            add_ungraded(&plan, path, &held_out, &mut train)?;
        }
        let behaviours = train.take_behaviours();
        let (mut train, dev) = (train.finish()?, dev.finish()?);
        if let Some(recipe) = &plan.recipe.teacher {
            let mut said = taught(recipe, source, &choice, unlabelled)?;
            // The teacher is not asked about pairs that are there for their behaviour.
            said.resize(train.len(), None);
            train.set_teacher(said);
        }
        let behaviour = match (wanted, behaviours) {
            (Some(recipe), Some(behaviours)) => {
                let tasks = &plan.spec.tasks;
                Some(observed(&mut train, &behaviours, graded, recipe, tasks)?)
            }
            _ => None,
        };
        balance(&mut train, plan.recipe.loss.class_balance);
        let unanswered = Prediction::new([1.0, 0.0, 0.0]);
        let rows = (0..dev.len()).map(|row| dev.scored(row, unanswered));
        dev_metric::check(&plan.recipe, &rows.collect::<Vec<_>>())?;
        let triangles = Triangles::new(&plan, source, &choice, &held_out, &encoder)?;
        Ok(Self { plan, encoder, train, dev, triangles, behaviour })
    }

    /// Identifies what the run computes: the SHA-256 of the recipe, of the weights of a frozen base, of
    /// every encoded row, and of the triangles.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.plan, [&self.train, &self.dev], &self.triangles)
    }

    /// Builds the model on a device.
    pub fn build(self, device: &Device) -> Result<Prepared, TrainError> {
        let Self { plan, encoder, train, dev, triangles, behaviour } = self;
        let model = RelevanceModel::zeros(plan.spec.clone(), &(**device).clone().autodiff())?;
        let seed = plan.recipe.seed;
        let model = match &plan.backbone {
            BackboneSource::Pretrained(backbone) => backbone.load_or_initialize(model, seed)?,
            BackboneSource::Scratch { initializer, .. } => {
                let model = initialize(model, seed);
                let model = match initializer {
                    Initializer::Normal => model,
                    Initializer::Mimetic => initialize_mimetic(model, seed),
                };
                initialize_frozen(model, seed)
            }
        };
        let model = freeze(model, &plan.recipe.model.freeze)?;
        if !parameters(&model).iter().any(|info| info.trainable) {
            return Err(TrainError::Plan(vec![
                "model.freeze leaves nothing to train; name fewer parameters".into(),
            ]));
        }
        let layers = plan.layers.clone();
        let layers = layers
            .map(|layers| layers.open(model.spec(), encoder.tokenizer(), seed, device))
            .transpose()?;
        Ok(Prepared { plan, model, encoder, train, dev, triangles, layers, behaviour })
    }
}

impl Prepared {
    /// Reads the rows that the plan asks for, encodes them, and builds the model on a device.
    pub fn new(
        plan: Plan,
        source: &dyn ExampleSource,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Encoded::new(plan, source)?.build(device)
    }

    /// See [`Encoded::fingerprint`].
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.plan, [&self.train, &self.dev], &self.triangles)
    }
}

fn fingerprint(plan: &Plan, parts: [&Rows; 2], triangles: &Triangles) -> String {
    let mut hasher = Sha256::new();
    hasher.update(plan.recipe.identity());
    // Checkpoints do not hold a frozen base, so a run may resume only over the base that it was trained
    // over. If the base is stored in several files, the hash covers all of them.
    if let (Some(_), BackboneSource::Pretrained(backbone)) =
        (&plan.recipe.model.lora, &plan.backbone)
    {
        hasher.update(backbone.weights_sha256().unwrap_or_default());
    }
    if let Some(layers) = &plan.layers {
        hasher.update(&layers.manifest_sha256);
    }
    for rows in parts {
        hasher.update(rows.len().to_le_bytes());
        for (row, encoded) in rows.views().enumerate() {
            let (grade, weight) = rows.target(row);
            hasher.update([encoded.task.index() as u8, grade.index() as u8]);
            hasher.update(weight.to_le_bytes());
            if let Some(TargetOfTeacher { probs, share }) = rows.teacher(row) {
                probs.iter().chain([&share]).for_each(|number| hasher.update(number.to_le_bytes()));
            }
            if let Some(TargetOfBehaviour { rates, share }) = rows.behaviour(row) {
                let numbers = rates.map(|rate| rate.unwrap_or(-1.0));
                numbers.iter().chain([&share]).for_each(|n| hasher.update(n.to_le_bytes()));
            }
            hasher.update(encoded.len().to_le_bytes());
            encoded.ids.iter().for_each(|id| hasher.update(id.to_le_bytes()));
        }
    }
    for row in (0..triangles.len()).flat_map(|triangle| triangles.triangle(triangle)) {
        hasher.update([row.task.index() as u8]);
        hasher.update(row.len().to_le_bytes());
        row.ids.iter().for_each(|id| hasher.update(id.to_le_bytes()));
    }
    sextant_files::hexadecimal(&hasher.finalize())
}

/// The texts that rows contain besides those of their entities, whose words a vocabulary needs, too: the
/// names of tasks and the fixed words of the product template.
fn fixed_texts(text: &TextConfig) -> impl Iterator<Item = String> {
    let prefix = |task: &Task| text.prefix_template.replace("{task}", task.as_str());
    let product = text.templates.product.replace(['{', '}'], " ");
    Task::ALL.iter().map(prefix).chain([product])
}

/// Counts the words of every field that an entity has.
fn add_words(words: &mut WordCounts, entity: &Entity) -> Result<(), TextError> {
    words.add(entity.text())?;
    if let Entity::Product(product) = entity {
        let fields = product.brand.iter().chain(&product.description).chain(&product.type_path);
        fields.into_iter().try_for_each(|field| words.add(field))?;
        for (name, value) in &product.attributes {
            words.add(&format!("{name} {value}"))?;
        }
    }
    Ok(())
}
