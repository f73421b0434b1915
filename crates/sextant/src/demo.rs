//! `sextant demo`: everything from data to report, on a synthetic market.

use crate::arguments::Overwrite;
use crate::device::DeviceArgs;
use crate::say::say;
use crate::{data, get, lab};
use anyhow::bail;
use clap::Args;
use sextant_cli::Terminal;
use sextant_data::market::{ExampleConfig, MarketConfig};
use sextant_data::{DataFolder, Format, check};
use sextant_eval::{EvalOptions, Metric};
use sextant_lab::{Baseline, Grid, Lab, LabRecipe, ReportFiles};
use sextant_train::peak_memory;
use std::path::{Path, PathBuf};

/// The grid that the demo runs.
const RECIPE: &str = include_str!("../../../recipes/demo.toml");

/// Keys of a training recipe that the demo sets itself.
const OWN_KEYS: [&str; 5] = ["name", "seed", "data.path", "model.backbone", "model.routing"];

/// Settings for a pretrained backbone. The settings for a small backbone from scratch would destroy its
/// weights.
const PRETRAINED: [&str; 5] = [
    "base.optimizer.learning_rate=1e-4",
    "base.optimizer.head_learning_rate=1e-3",
    "base.schedule.epochs=1.0",
    "base.data.train_rows=5000",
    "base.batch.rows=32",
];

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// A pretrained backbone, as `minilm`; a small one from scratch unless given
    #[arg(long)]
    backbone: Option<String>,
    /// Where to put market, bundles and report; a demo that was stopped there goes on
    #[arg(long, default_value = "sextant-demo")]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Change a key of the demo's training recipe
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    #[command(flatten)]
    on: DeviceArgs,
}

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let start = std::time::Instant::now();
        let existing = self.overwrite.existing();
        let market = self.out.join("market");
        // Mistakes are found before anything is written.
        let grid = Grid::new(self.recipe(&market)?, get::resolve)?;
        let mut folder = DataFolder::open(&market, existing)?;
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
        let mut lab = Lab::open(grid, &self.out, get::resolve)?;
        lab::run_all(&mut lab, &self.on.device, None, existing, Box::new(Terminal::new()))?;
        let mut comparison = lab.comparison(&EvalOptions::full())?;
        for baseline in Baseline::trivial(&checked) {
            comparison.add_baseline(baseline)?;
        }
        let table = comparison.table(Metric::Accuracy);
        say(&format!(
            "\nAccuracy on the test pairs\n{}\n{}",
            table.to_text(),
            table.facts_to_text()
        ));
        let files = ReportFiles::write(&lab, existing)?;
        say(&format!(
            "\n{}\n\nReport, for a browser: {}\nBundles: {}\nTook {:.0} s, peak memory {} MiB",
            files.verdict,
            files.html.display(),
            self.out.join("runs/*/bundle").display(),
            start.elapsed().as_secs_f64(),
            peak_memory().unwrap_or(0) >> 20
        ));
        Ok(())
    }

    /// The demo's grid on the market in the folder `market`, with the settings for a pretrained backbone if
    /// one is named, and with the user's settings.
    fn recipe(&self, market: &Path) -> anyhow::Result<LabRecipe> {
        for setting in &self.settings {
            if OWN_KEYS.iter().any(|key| setting.trim_start().starts_with(key)) {
                bail!("--set {setting}: the demo sets this itself; use `sextant lab run`");
            }
        }
        // A JSON string is also a TOML string.
        let quoted = |text: &str| serde_json::Value::from(text);
        let market = market.display().to_string();
        let mut settings = vec![format!("base.data.path={}", quoted(&market))];
        if let Some(name) = &self.backbone {
            let backbone = quoted(name);
            settings
                .push(format!("grid.backbones=[{{backbone={backbone}, label=\"pretrained\"}}]"));
            let members =
                ["prefix", "multi-head", "mhp-1"].map(|routing| format!("pretrained-{routing}"));
            settings.push(format!("ensembles.mixed=[{members:?}]"));
            settings.extend(PRETRAINED.map(str::to_owned));
        }
        let said = self.settings.iter().map(|setting| format!("base.{}", setting.trim_start()));
        settings.extend(said);
        Ok(LabRecipe::parse(RECIPE, "recipes/demo.toml", &settings)?)
    }
}
