//! Checks of claims that take minutes, which is too long for the tests.

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use sextant_cli::Terminal;
use sextant_core::Task;
use sextant_data::market::{Conflict, ExampleConfig, Market, MarketConfig, Rule};
use sextant_data::{Dataset, Format};
use sextant_files::Existing;
use sextant_lab::findings::Findings;
use sextant_lab::{Document, Grid, Lab, LabRecipe, Outcome};
use sextant_model::Device;
use std::path::{Path, PathBuf};

/// `prove`
#[derive(Debug, Subcommand)]
pub(crate) enum Prove {
    /// A grid on a synthetic market finds what the market was made to hold
    Lab(ProveLab),
}

/// `prove lab`
#[derive(Debug, Args)]
pub(crate) struct ProveLab {
    /// Where to work; a grid that is there already goes on
    #[arg(long, default_value = "target/prove-lab")]
    folder: PathBuf,
    /// Where to write the report
    #[arg(long, default_value = "docs/results/lab-market.md")]
    out: PathBuf,
}

/// The task that grades at odds with the others.
const ODD: Conflict = Conflict { task: Task::QueryQuery, rule: Rule::Inverted };
/// The task with few rows, and how many it has in all splits.
const FEW: (Task, usize) = (Task::TypeType, 240);

impl Prove {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Lab(task) => task.run(),
        }
    }
}

impl ProveLab {
    /// Two things are built into the market and must be found: a task that contradicts the others gains
    /// from a branch of its own, with layers or with a head alone; a task with few rows gains from being
    /// trained with others.
    fn run(self) -> anyhow::Result<()> {
        let data = self.folder.join("lab-market");
        let mut examples = ExampleConfig::equal(2400);
        examples.rows.insert(FEW.0, FEW.1);
        examples.conflict = Some(ODD);
        let mut dataset = Dataset::default();
        for example in Market::generate(&MarketConfig::default())?.examples(&examples)? {
            let split = example.split.context("market rows have a split")?;
            dataset.part_mut(split).push(example);
        }
        dataset.save(&data, Format::Jsonl, Existing::Refuse)?;
        let set = format!("base.data.path={:?}", data.display().to_string());
        let recipe = LabRecipe::read(Path::new("recipes/lab-market.toml"), &[set])?;
        let resolve = |name: &str| Err(format!("`{name}`: this grid needs no pretrained model"));
        let mut lab = Lab::open(Grid::new(recipe, resolve)?, &self.folder.join("lab"), resolve)?;
        let outcome = lab.run(&Device::cpu(), None, Existing::Refuse, &mut Terminal::new())?;
        ensure!(outcome == Outcome::Complete, "the grid is not finished");
        let findings = Findings::new(&lab)?;

        let column = findings.headline.columns.iter().position(|c| c.task == Some(ODD.task));
        let beyond_shared = |system: &str| {
            let row = findings.headline.rows.iter().find(|row| row.system == system);
            row.zip(column)
                .and_then(|(row, column)| row.scores[column].as_ref()?.difference)
                .with_context(|| format!("{system} was not compared with the shared model"))
        };
        let few = findings
            .gains
            .iter()
            .find(|gain| gain.system == "scratch-multi-head" && gain.task == Some(FEW.0))
            .context("the multi-task gain is missing")?
            .equal_data
            .mean;
        let mut failures = Vec::new();
        for (claim, found) in [
            (format!("{}: private layers beyond none", ODD.task), beyond_shared("scratch-mhp-1")?),
            (
                format!("{}: a private head beyond none", ODD.task),
                beyond_shared("scratch-multi-head")?,
            ),
            (format!("{}: multi-task beyond single-task", FEW.0), few),
        ] {
            let interval = found.interval.context("no interval")?;
            let [value, low, high] = [found.value, interval.low, interval.high].map(|x| 100.0 * x);
            println!("{claim}: {value:+.1} points [{low:+.1}, {high:+.1}]");
            if low <= 0.0 {
                failures.push(claim);
            }
        }
        std::fs::write(&self.out, Document::new(&findings)?.to_markdown())
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        ensure!(failures.is_empty(), "not found: {}", failures.join("; "));
        Ok(())
    }
}
