//! A recipe that was checked and resolved: a description of what will run.

use crate::{
    BackboneRecipe, Computation, Initializer, Mixing, PlannedLayers, Recipe, Sampling,
    TaskWeighting, TrainError, Weighting,
};
use sextant_kernels::Processor;
use sextant_model::backbone::Backbone;
use sextant_model::{BackboneConfig, LossKind, ModelSpec, Pooling};
use sextant_text::TextConfig;

/// Where the weights come from.
#[derive(Debug, Clone)]
pub enum BackboneSource {
    /// A folder in Hugging Face layout.
    Pretrained(Backbone),
    /// Random numbers, and a vocabulary of this size made from the training texts.
    Scratch {
        /// The number of entries asked for; small data may give fewer.
        vocab_size: usize,
        /// How the random numbers are drawn.
        initializer: Initializer,
    },
}

/// A recipe that can be run.
///
/// ```
/// use sextant_train::{Plan, parse_recipe};
///
/// # fn main() -> Result<(), sextant_train::TrainError> {
/// let text = r#"
///     name = "small"
///     data = { path = "data/market" }
///     [model]
///     backbone = { hidden_size = 32, layers = 2, attention_heads = 2 }
///     routing = { prefix = true, heads = "shared" }
/// "#;
/// let recipe = parse_recipe(text, "recipe.toml", &["seed=7".to_owned()])?;
/// let plan = Plan::new(recipe, |name| Err(format!("no backbone `{name}` here")))?;
/// assert_eq!((plan.recipe.seed, plan.spec.backbone.layers), (7, 2));
///
/// // All mistakes are reported together, each with its key.
/// let settings = ["batch.rows=0".to_owned(), "optimizer.beta1=2.0".to_owned()];
/// let recipe = parse_recipe(text, "recipe.toml", &settings)?;
/// let error = Plan::new(recipe, |name| Err(format!("no backbone `{name}` here"))).unwrap_err();
/// assert!(error.to_string().contains("batch.rows = 0: must be at least 1"));
/// assert!(error.to_string().contains("optimizer.beta1 = 2: must be in [0, 1)"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    /// The recipe that was checked.
    pub recipe: Recipe,
    /// The shape of the model. The vocabulary size of a backbone from scratch becomes final when the
    /// training texts are read.
    pub spec: ModelSpec,
    /// How pairs become text.
    pub text: TextConfig,
    /// Where the weights come from.
    pub backbone: BackboneSource,
    /// What the run computes with.
    pub computation: Computation,
    /// The teacher whose layers the model learns, if it learns any.
    pub layers: Option<PlannedLayers>,
}

impl Plan {
    /// Checks a recipe. `resolve` turns a backbone's name into its folder.
    ///
    /// # Errors
    /// [`TrainError::Plan`] with every mistake found, each with its key.
    pub fn new(
        recipe: Recipe,
        resolve: impl FnOnce(&str) -> Result<std::path::PathBuf, String>,
    ) -> Result<Self, TrainError> {
        let mut mistakes = Vec::new();
        check_numbers(&recipe, &mut mistakes);
        let mut text = TextConfig {
            max_tokens: recipe.text.max_tokens,
            prefix: recipe.model.routing.prefix,
            prefix_template: recipe.text.prefix_template.clone(),
            templates: recipe.text.templates.clone(),
        };
        if let Err(error) = text.validate() {
            mistakes.push(error.to_string());
        }
        if let Some(Err(error)) = recipe.dev.decide.map(|objective| objective.validate()) {
            mistakes.push(format!("dev.decide: {error}"));
        }
        if let Some(teacher) = &recipe.teacher {
            mistakes.extend(teacher.mistakes());
            if recipe.loss.kind != LossKind::CrossEntropy {
                mistakes.push(
                    "teacher: needs a softmax head; set loss.kind = \"cross_entropy\"".into(),
                );
            }
        }
        if let Some(consistency) = &recipe.consistency {
            mistakes.extend(consistency.mistakes(&recipe.tasks));
        }
        if let Some(behaviour) = &recipe.behaviour {
            mistakes.extend(behaviour.mistakes());
        }
        if let Err(error) = recipe.loss.validate() {
            mistakes.push(format!("loss: {error}"));
        }
        let backbone = match backbone(&recipe, resolve) {
            Ok(found) => Some(found),
            Err(mistake) => {
                mistakes.push(format!("model.backbone: {mistake}"));
                None
            }
        };
        let spec = backbone.as_ref().map(|(config, _)| spec(&recipe, config.clone()));
        if let Some(spec) = &spec {
            if let Err(error) = spec.validate() {
                mistakes.push(error.to_string());
            }
            text.max_tokens = text.max_tokens.min(spec.backbone.max_positions);
        }
        let mut layers = None;
        if let (Some(spec), Some(teacher)) = (&spec, &recipe.teacher)
            && let Some(wanted) = &teacher.layers
        {
            match PlannedLayers::new(wanted, &teacher.sources, spec, &text) {
                Ok(found) => layers = Some(found),
                Err(mistake) => mistakes.push(mistake),
            }
            if recipe.model.gradient_checkpointing {
                mistakes.push("teacher.layers: needs the activations of all layers; set model.gradient_checkpointing = false".into());
            }
        }
        match (spec, backbone) {
            (Some(spec), Some((_, backbone))) if mistakes.is_empty() => {
                let computation = Computation::new(recipe.precision, Processor::detect());
                Ok(Self { recipe, spec, text, backbone, computation, layers })
            }
            _ => Err(TrainError::Plan(mistakes)),
        }
    }
}

fn backbone(
    recipe: &Recipe,
    resolve: impl FnOnce(&str) -> Result<std::path::PathBuf, String>,
) -> Result<(BackboneConfig, BackboneSource), String> {
    match &recipe.model.backbone {
        BackboneRecipe::Pretrained(name) => {
            let folder = resolve(name)?;
            let opened = Backbone::open(&folder).and_then(|backbone| match recipe.model.layers {
                Some(layers) => backbone.first_layers(layers),
                None => Ok(backbone),
            });
            let backbone = opened.and_then(|backbone| backbone.check().map(|()| backbone));
            let backbone = backbone.map_err(|error| error.to_string())?;
            Ok((backbone.config().clone(), BackboneSource::Pretrained(backbone)))
        }
        BackboneRecipe::Scratch(_) if recipe.model.layers.is_some() => Err("model.layers: keeps layers of a pretrained backbone; a fresh one has `layers` in model.backbone".into()),
        BackboneRecipe::Scratch(sizes) => {
            let config =
                BackboneConfig {
                    hidden_size: sizes.hidden_size,
                    layers: sizes.layers,
                    attention_heads: sizes.attention_heads,
                    intermediate_size: sizes.intermediate_size,
                    max_positions: recipe.text.max_tokens,
                    initializer_range: Some(sizes.initializer_range.unwrap_or_else(|| {
                        0.02 * (768.0 / sizes.hidden_size.max(1) as f32).sqrt()
                    })),
                    ..BackboneConfig::small(sizes.vocab_size)
                };
            let (vocab_size, initializer) = (sizes.vocab_size, sizes.initializer);
            Ok((config, BackboneSource::Scratch { vocab_size, initializer }))
        }
    }
}

fn spec(recipe: &Recipe, mut backbone: BackboneConfig) -> ModelSpec {
    let model = &recipe.model;
    // The first token of a decoder attends to no other token, so the head reads the last one. Decoders have
    // no pooler, and in a mixture of experts the experts take the place of the pooler.
    let causal = backbone.block.causal;
    let pooling = if causal { Pooling::Last } else { Pooling::Cls };
    backbone.hidden_dropout = model.hidden_dropout.unwrap_or(backbone.hidden_dropout);
    backbone.attention_dropout = model.attention_dropout.unwrap_or(backbone.attention_dropout);
    let mut tasks = recipe.tasks.clone();
    tasks.sort_by_key(|task| task.index());
    tasks.dedup();
    ModelSpec {
        backbone,
        tasks,
        routing: model.routing,
        pooling: model.pooling.unwrap_or(pooling),
        dense: model.dense.unwrap_or(!causal && model.routing.mixture.is_none()),
        head: recipe.loss.kind.head(),
        head_dropout: model.head_dropout,
        lora: model.lora.clone(),
    }
}

/// Checks the settings that do not belong to the model's shape or to the text configuration, which check
/// themselves.
fn check_numbers(recipe: &Recipe, mistakes: &mut Vec<String>) {
    let mut require = |holds: bool, key: &str, value: &dyn std::fmt::Display, needed: &str| {
        if !holds {
            mistakes.push(format!("{key} = {value}: must be {needed}"));
        }
    };
    let (optimizer, schedule, batch) = (&recipe.optimizer, &recipe.schedule, &recipe.batch);
    let name = recipe.name.as_str();
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
    require(plain, "name", &name, "a name that can be a folder's: not empty, no slash");
    require(!recipe.tasks.is_empty(), "tasks", &"[]", "at least one task");
    for (key, value) in [
        ("optimizer.learning_rate", optimizer.learning_rate),
        ("optimizer.head_learning_rate", optimizer.head_learning_rate.unwrap_or(1.0)),
        ("optimizer.lora_learning_rate", optimizer.lora_learning_rate.unwrap_or(1.0)),
        ("optimizer.eps", optimizer.eps),
    ] {
        require(value.is_finite() && value > 0.0, key, &value, "positive");
    }
    for (key, value) in [("beta1", optimizer.beta1), ("beta2", optimizer.beta2)] {
        require((0.0..1.0).contains(&value), &format!("optimizer.{key}"), &value, "in [0, 1)");
    }
    for (key, value) in
        [("weight_decay", optimizer.weight_decay), ("clip_norm", optimizer.clip_norm)]
    {
        let holds = value.is_finite() && value >= 0.0;
        require(holds, &format!("optimizer.{key}"), &value, "0 or more");
    }
    let decay = optimizer.layer_decay;
    require(decay > 0.0 && decay <= 1.0, "optimizer.layer_decay", &decay, "in (0, 1]");
    // Sizes that no machine can hold are refused before anything of such a size is allocated.
    let mut sizes = vec![
        ("text.max_tokens", recipe.text.max_tokens, 1 << 17),
        ("batch.rows", batch.rows, 1 << 20),
        ("batch.pack_tokens", batch.pack_tokens, 1 << 24),
        ("model.routing.private_layers", recipe.model.routing.private_layers, 1 << 10),
    ];
    if let BackboneRecipe::Scratch(scratch) = &recipe.model.backbone {
        sizes.extend([
            ("model.backbone.vocab_size", scratch.vocab_size, 1 << 22),
            ("model.backbone.hidden_size", scratch.hidden_size, 1 << 16),
            ("model.backbone.layers", scratch.layers, 1 << 10),
            ("model.backbone.intermediate_size", scratch.intermediate_size, 1 << 18),
        ]);
    }
    for (key, value, most) in sizes {
        require(value <= most, key, &value, &format!("at most {most}"));
    }
    let epochs = schedule.epochs;
    require(epochs.is_finite() && epochs > 0.0, "schedule.epochs", &epochs, "positive");
    require(schedule.steps != Some(0), "schedule.steps", &0, "at least 1");
    require(
        (0.0..=1.0).contains(&schedule.warmup),
        "schedule.warmup",
        &schedule.warmup,
        "in [0, 1]",
    );
    if let Some(affinity) = recipe.affinity {
        require(affinity.every > 0, "affinity.every", &affinity.every, "at least 1");
        let mixed = batch.mixing == Mixing::Mixed;
        require(mixed, "batch.mixing", &"single_task", "`mixed` where `affinity` compares tasks");
        let several = recipe.tasks.len() > 1;
        require(several, "affinity", &"{}", "left out where there are no two tasks to compare");
    }
    require(batch.rows > 0, "batch.rows", &batch.rows, "at least 1");
    require(batch.pack_tokens > 0, "batch.pack_tokens", &batch.pack_tokens, "at least 1");
    if let Sampling::Temperature(t) = batch.sampling {
        require(t.is_finite() && t > 0.0, "batch.sampling.temperature", &t, "positive");
    }
    let weighting = &recipe.task_weighting;
    let (temperature, window) = (weighting.temperature, weighting.window);
    require(
        temperature.is_finite() && temperature > 0.0,
        "task_weighting.temperature",
        &temperature,
        "positive",
    );
    require(window != Some(0), "task_weighting.window", &0, "at least 1");
    let unused = TaskWeighting { kind: weighting.kind, ..TaskWeighting::default() };
    require(
        weighting.kind == Weighting::Dynamic || *weighting == unused,
        "task_weighting",
        &"temperature, window",
        "left out unless `kind = \"dynamic\"`",
    );
    require(recipe.dev.every != Some(0), "dev.every", &0, "at least 1");
    require(recipe.dev.patience != Some(0), "dev.patience", &0, "at least 1");
    let minutes = recipe.checkpoint.minutes;
    let holds = minutes.is_finite() && minutes >= 0.0;
    require(holds, "checkpoint.minutes", &minutes, "0 (never) or more");
    for (task, &share) in &recipe.data.task_shares {
        let key = format!("data.task_shares.{task}");
        require(share > 0.0 && share <= 1.0, &key, &share, "in (0, 1]");
    }
    require(recipe.data.train_rows != Some(0), "data.train_rows", &0, "at least 1");
    require(recipe.data.dev_rows != Some(0), "data.dev_rows", &0, "at least 1");
}
