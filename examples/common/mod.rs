//! What the examples share: a small market of invented products, and a model that learns a little about it
//! in a few seconds. To train on your own data, begin with `recipes/` and `sextant train`.

use sextant_core::Split;
use sextant_data::Dataset;
use sextant_data::market::{ExampleConfig, Market, MarketConfig};
use sextant_eval::Scored;
use sextant_files::Existing;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use sextant_train::{
    ExampleSource, Observers, Plan, Prepared, Recipe, RunFolder, Start, Trainer, parse_recipe,
};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Any error: a short program need not tell errors apart.
pub(crate) type Failure = Box<dyn Error>;

/// A recipe as `sextant train` reads it, for a tiny encoder that starts from random weights.
pub(crate) const RECIPE: &str = r#"
    name = "example"
    data = { path = "in-memory" }
    [model]
    backbone = { vocab_size = 800, hidden_size = 32, layers = 2, attention_heads = 2, intermediate_size = 64 }
    routing = { prefix = true, heads = "shared" }
    pooling = "mean"
    dense = false
    [text]
    max_tokens = 48
    [optimizer]
    learning_rate = 3e-3
    [schedule]
    steps = 60
    [batch]
    rows = 16
"#;

/// A few hundred rows of each task, whose grades follow from how the market was made.
pub(crate) fn market() -> Result<Dataset, Failure> {
    let config =
        MarketConfig { departments: 3, products: 300, queries: 300, ..MarketConfig::default() };
    let mut dataset = Dataset::default();
    for example in Market::generate(&config)?.examples(&ExampleConfig::equal(200))? {
        dataset.part_mut(example.split.unwrap_or(Split::Train)).push(example);
    }
    Ok(dataset)
}

/// [`RECIPE`] with some keys changed, as `--set key=value` changes them.
pub(crate) fn recipe(settings: &[&str]) -> Result<Recipe, Failure> {
    let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    Ok(parse_recipe(RECIPE, "the example's recipe", &settings)?)
}

/// Trains a model without an observer, and returns the folder of its bundle.
pub(crate) fn train(
    recipe: Recipe,
    rows: &dyn ExampleSource,
    folder: PathBuf,
) -> Result<PathBuf, Failure> {
    let plan = Plan::new(recipe, |name| Err(format!("the examples need no backbone `{name}`")))?;
    let prepared = Prepared::new(plan, rows, &Device::cpu())?;
    let folder = RunFolder(folder);
    let trainer = Trainer::new(prepared, folder.clone(), Start::New, Existing::Refuse)?;
    trainer.run(&mut Observers::default())?;
    Ok(folder.bundle())
}

/// Trains a small model in `folder` and opens it.
pub(crate) fn small_model(dataset: &Dataset, folder: &Path) -> Result<Scorer, Failure> {
    let bundle = train(recipe(&[])?, dataset, folder.join("run"))?;
    Ok(Scorer::open(&bundle, &Device::cpu(), ScorePrecision::F32)?)
}

/// The test rows with the model's predictions for them.
pub(crate) fn answered<'a>(
    scorer: &Scorer,
    dataset: &'a Dataset,
) -> Result<Vec<Scored<'a>>, Failure> {
    let pairs: Vec<_> = dataset.test.iter().map(|example| example.pair.clone()).collect();
    let predictions = scorer.predict(&pairs)?;
    Ok(dataset.test.iter().zip(predictions).map(|(row, answer)| Scored::of(row, answer)).collect())
}
