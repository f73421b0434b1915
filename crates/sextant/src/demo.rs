//! `sextant demo`: the whole line on a synthetic market.

use crate::arguments::Overwrite;
use crate::device::DeviceArgs;
use crate::say::say;
use crate::train::{interrupted, train};
use crate::{data, evaluate, get, interrupt};
use anyhow::bail;
use clap::Args;
use sextant_core::Task;
use sextant_data::market::{ExampleConfig, MarketConfig};
use sextant_data::{Baselines, CheckReport, DataFolder, Dataset, Format, check};
use sextant_eval::Metric;
use sextant_files::{Lock, OwnFiles};
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_lab::{Baseline, Comparison, Report, Run, RunFacts};
use sextant_model::{Device, Routing};
use sextant_train::{Plan, Recipe, RunFolder, Start, parse_recipe, peak_memory};
use std::path::PathBuf;

/// The recipe that the demo's runs share.
const RECIPE: &str = include_str!("../../../recipes/demo.toml");

/// The demo's report, in its folder.
const REPORT: &str = "report.md";

/// What is compared.
const ROUTINGS: [Routing; 3] = [Routing::TEXT_PREFIX, Routing::MULTI_HEAD, Routing::mhp(1)];

/// Settings for a pretrained backbone.
const PRETRAINED: [&str; 5] = [
    "optimizer.learning_rate=1e-4",
    "optimizer.head_learning_rate=1e-3",
    "schedule.epochs=1.0",
    "data.train_rows=5000",
    "batch.rows=32",
];

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// A pretrained backbone, as `minilm`; a small one from scratch unless given
    #[arg(long)]
    backbone: Option<String>,
    /// Where to put market, bundles and report; those of an earlier demo are replaced
    #[arg(long, default_value = "sextant-demo")]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Change a key of the demo's recipe
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    #[command(flatten)]
    on: DeviceArgs,
}

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let start = std::time::Instant::now();
        let device = &self.on.device;
        // Mistakes are found before anything is removed.
        for routing in ROUTINGS {
            Plan::new(self.recipe(routing)?, get::resolve)?;
        }
        let existing = self.overwrite.existing();
        let market = self.out.join("market");
        let mut folder = DataFolder::open(&market, existing)?;
        let _lock = Lock::folder(&self.out)?;
        let mut own = OwnFiles::of(&self.out)?;
        own.admit([REPORT], existing)?;
        for routing in ROUTINGS {
            self.run_folder(routing).admit(existing)?;
        }
        let dataset = data::market(&MarketConfig::default(), &ExampleConfig::default())?;
        folder.save(&dataset, Format::Jsonl)?;
        let checked = check(&dataset);
        if !checked.is_ok() {
            bail!("the synthetic market leaks between splits:\n{checked}");
        }
        say(&format!(
            "A synthetic market of {} train, {} dev and {} test pairs over six tasks: {}",
            dataset.train.len(),
            dataset.dev.len(),
            dataset.test.len(),
            market.display()
        ));
        let mut comparison = Comparison::new();
        for baseline in baselines(&checked) {
            comparison.add_baseline(baseline)?;
        }
        interrupt::install()?;
        for routing in ROUTINGS {
            comparison.add_run(self.train(routing, &dataset, device)?)?;
        }
        let table = comparison.table(Metric::Accuracy);
        say(&format!(
            "\nAccuracy on the test pairs\n{}\n{}",
            table.to_text(),
            table.facts_to_text()
        ));
        let report = Report {
            title: "Sextant demo".into(),
            introduction: "Three task routings of one encoder, trained on a synthetic market whose grades are known exactly.".into(),
            command: Some("sextant demo".into()),
            metrics: vec![Metric::Accuracy, Metric::MacroF1, Metric::QuadraticKappa, Metric::Ece],
            notes: vec![
                "A small model, minutes of training, an invented market: this shows that the line works, not which routing is better on real data.".into(),
            ],
            paired: None,
        };
        report.write(&comparison, own.create(REPORT, existing)?)?;
        let path = self.out.join(REPORT);
        say(&format!(
            "\nReport: {}\nBundles: {}\nTook {:.0} s, peak memory {} MiB",
            path.display(),
            self.out.join("*/bundle").display(),
            start.elapsed().as_secs_f64(),
            peak_memory().unwrap_or(0) >> 20
        ));
        Ok(())
    }

    fn run_folder(&self, routing: Routing) -> RunFolder {
        RunFolder(self.out.join(routing.label()))
    }

    /// The recipe of a run: the demo's, what suits pretrained weights, and what the user says.
    fn recipe(&self, routing: Routing) -> anyhow::Result<Recipe> {
        if let Some(key) = self.settings.iter().find(|setting| {
            ["name", "model.routing"].iter().any(|key| setting.trim_start().starts_with(key))
        }) {
            bail!("--set {key}: the demo sets this itself, for each routing; use `sextant train`");
        }
        let mut settings = Vec::new();
        if let Some(name) = &self.backbone {
            settings.push(format!("model.backbone={name:?}"));
            // What suits random weights would destroy pretrained ones.
            settings.extend(PRETRAINED.map(str::to_owned));
        }
        settings.extend(self.settings.iter().cloned());
        let mut recipe = parse_recipe(RECIPE, "recipes/demo.toml", &settings)?;
        recipe.name = routing.label();
        recipe.model.routing = routing;
        Ok(recipe)
    }

    fn train(&self, routing: Routing, dataset: &Dataset, device: &Device) -> anyhow::Result<Run> {
        let recipe = self.recipe(routing)?;
        let name = recipe.name.clone();
        let folder = self.run_folder(routing);
        let start = (Start::Again, self.overwrite.existing());
        let how = "the demo begins anew when it is started again";
        let summary = train(recipe, dataset, folder.clone(), start, device)
            .map_err(|error| interrupted(error, &folder, how))?;
        let scorer = Scorer::open(&folder.bundle(), device, ScorePrecision::F32)?;
        let rows = "synthetic market, test";
        // The rows in memory are the lines that were saved.
        let file = self.out.join("market/test.jsonl");
        let origin = |row| format!("{} line {}", file.display(), row + 1);
        let report = evaluate::report(&scorer, &dataset.test, rows, origin)?;
        let facts = RunFacts {
            recipe: Some("recipes/demo.toml".into()),
            seed: Some(summary.seed),
            trainable_parameters: Some(summary.trainable_parameters),
            train_rows: Some(summary.train_rows as u64),
            wall_seconds: Some(summary.seconds),
            rows_per_second: Some(summary.rows as f64 / summary.seconds.max(1e-9)),
            peak_memory_bytes: None, // of the process, not of one run
        };
        Ok(Run { name, report, facts })
    }
}

/// What trivial models reach on the test rows.
pub(crate) fn baselines(report: &CheckReport) -> [Baseline; 2] {
    let by_task = |accuracy: fn(&Baselines) -> f64| {
        report
            .tasks
            .iter()
            .filter_map(|task| Some((task.task, accuracy(task.baselines.as_ref()?))))
            .collect::<std::collections::BTreeMap<Task, f64>>()
    };
    [
        Baseline {
            name: "majority grade".into(),
            accuracy: by_task(|found| found.majority_accuracy),
            pooled: report.pooled_majority_accuracy,
        },
        Baseline {
            name: "word overlap".into(),
            accuracy: by_task(|found| found.overlap_accuracy),
            pooled: report.pooled_overlap_accuracy,
        },
    ]
}
