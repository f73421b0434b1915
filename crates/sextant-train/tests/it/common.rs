//! A small market, a tiny recipe, and short ways to run it.

use sextant_core::{Example, Split, Task};
use sextant_data::Dataset;
use sextant_data::market::{ExampleConfig, Market, MarketConfig};
use sextant_files::Existing;
use sextant_model::{Archive, Device, Values, dump};
use sextant_train::{
    Event, Observer, Plan, Prepared, Recipe, RunFolder, Start, Summary, TrainError, Trainer,
    parse_recipe,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

const RECIPE: &str = r#"
    name = "tiny"
    precision = "f32"
    data = { path = "in-memory" }
    [model]
    backbone = { vocab_size = 300, hidden_size = 32, layers = 2, attention_heads = 2, intermediate_size = 64 }
    routing = { prefix = false, heads = "per_task", private_layers = 1 }
    [text]
    max_tokens = 24
    [optimizer]
    learning_rate = 1e-3
    [schedule]
    steps = 6
    [batch]
    rows = 8
    [dev]
    every = 2
"#;

pub(crate) fn recipe(settings: &[&str]) -> Recipe {
    let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
    parse_recipe(RECIPE, "tiny.toml", &settings).unwrap()
}

/// About 60 rows of every task.
pub(crate) fn market() -> &'static Dataset {
    static MARKET: OnceLock<Dataset> = OnceLock::new();
    MARKET.get_or_init(|| {
        let config =
            MarketConfig { departments: 2, products: 200, queries: 200, ..MarketConfig::default() };
        let market = Market::generate(&config).unwrap();
        dataset(market.examples(&ExampleConfig::equal(60)).unwrap())
    })
}

pub(crate) fn dataset(examples: Vec<Example>) -> Dataset {
    let mut dataset = Dataset::default();
    for example in examples {
        dataset.part_mut(example.split.unwrap_or(Split::Train)).push(example);
    }
    dataset
}

pub(crate) fn plan(settings: &[&str]) -> Result<Plan, TrainError> {
    Plan::new(recipe(settings), |name| Err(format!("no backbone `{name}` here")))
}

pub(crate) fn prepared(settings: &[&str]) -> Prepared {
    Prepared::new(plan(settings).unwrap(), market(), &Device::cpu()).unwrap()
}

pub(crate) fn folder(temporary: &TempDir) -> RunFolder {
    RunFolder(temporary.path().join("run"))
}

/// Trains from start to end. Returns the values of parameters before and after, and the summary.
pub(crate) fn train(
    settings: &[&str],
) -> (BTreeMap<String, Values>, BTreeMap<String, Values>, Summary) {
    let temporary = TempDir::new().unwrap();
    let folder = folder(&temporary);
    let prepared = prepared(settings);
    let before = dump(&prepared.model);
    let summary = Trainer::new(prepared, folder.clone(), Start::New, Existing::Refuse)
        .unwrap()
        .run(&mut Silent)
        .unwrap();
    let after = checkpoint_values(&folder, &before);
    (before, after, summary)
}

/// The weights of a run's checkpoint, in the shapes of `like`.
pub(crate) fn checkpoint_values(
    folder: &RunFolder,
    like: &BTreeMap<String, Values>,
) -> BTreeMap<String, Values> {
    let path = folder.checkpoint().join("model.safetensors");
    let archive = Archive::read(&path, |_| false).unwrap();
    like.iter()
        .map(|(name, values)| {
            let data = archive.get(name, &values.shape).unwrap().to_vec();
            (name.clone(), Values { shape: values.shape.clone(), data })
        })
        .collect()
}

/// An observer that does nothing.
pub(crate) struct Silent;

impl Observer for Silent {
    fn on_event(&mut self, _: Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// An observer that keeps the loss of each step, and the number of its rows of each task.
#[derive(Default)]
pub(crate) struct Losses {
    pub(crate) steps: Vec<f64>,
    pub(crate) task_rows: Vec<[usize; Task::COUNT]>,
}

impl Observer for Losses {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        if let Event::Step(report) = event {
            self.steps.push(report.loss);
            self.task_rows.push(report.task_losses.map(|task| task.rows));
        }
        ControlFlow::Continue(())
    }
}

/// A setting by which a model learns from the layers of a teacher, which is trained in `folder` if it is not there.
pub(crate) fn learning_from_layers(folder: &Path, keys: &str) -> String {
    let teacher = RunFolder(folder.join("teacher"));
    if !teacher.bundle().exists() {
        let settings = [
            "schedule.steps=2",
            "model.backbone={ vocab_size = 300, hidden_size = 48, layers = 3, attention_heads = 2, intermediate_size = 64 }",
        ];
        let trainer =
            Trainer::new(prepared(&settings), teacher.clone(), Start::New, Existing::Refuse);
        trainer.unwrap().run(&mut Silent).unwrap();
    }
    let [bundle, cache] =
        [teacher.bundle(), folder.join("cache")].map(|path| path.display().to_string());
    format!("teacher={{ sources = [{bundle:?}], cache = {cache:?}, layers = {{ {keys} }} }}")
}
