//! `sextant data`.

mod exchange;
mod import;
mod new;

pub(crate) use exchange::IdArgs;

use crate::arguments::{Overwrite, Reading};
use crate::say::{complain, say};
use anyhow::{Context, anyhow, bail, ensure};
use clap::{Args, Subcommand};
use sextant_core::{Split, Task, UnknownName};
use sextant_data::market::{Conflict, ExampleConfig, Market, MarketConfig, Rule};
use sextant_data::split::{Shares, SplitOptions, split_rows};
use sextant_data::{
    DataCard, DataFiles, DataFolder, Dataset, Format, Labels, LoadedDataset, build, check,
    holds_input, read_examples,
};
use sextant_files::AtomicFile;
use std::io::Write;
use std::path::PathBuf;

/// Make, check and describe data sets.
#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// Make rows of other programs' tables, as a map says
    Import(import::Import),
    /// Write a map for a table, after a few questions about it
    New(new::New),
    /// Write rows as judgements or runs of other programs
    Export(exchange::Export),
    /// Build a benchmark from its sources
    Build(Build),
    /// Prove that splits do not leak, and say what a trivial model would reach
    Check(Inspected),
    /// Write the data card
    Stats(Stats),
    /// Give rows a split: by group, and by the entities that they share
    Split(SplitArgs),
    /// Make a synthetic market
    Market(MarketArgs),
}

/// `data build`
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The benchmark's recipe
    recipe: PathBuf,
    /// The folder with the sources
    #[arg(long)]
    source: PathBuf,
    /// Where to put the data set
    #[arg(long, default_value = "data/public-six")]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
}

/// `data check`
#[derive(Debug, Args)]
pub(crate) struct Inspected {
    /// A data set: a folder, or a file with a `split` column
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `data stats`
#[derive(Debug, Args)]
pub(crate) struct Stats {
    #[command(flatten)]
    inspected: Inspected,
    /// Write the card to a file, not to standard output
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
}

/// `data split`
#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    /// Labelled rows: a file, a folder or pattern of parts, or - for standard input
    input: PathBuf,
    /// Where to put the data set
    out: PathBuf,
    /// The seed of everything random
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The share of rows to train on
    #[arg(long, default_value_t = 0.7)]
    train: f64,
    /// The share of rows for choosing among models
    #[arg(long, default_value_t = 0.1)]
    dev: f64,
    /// The share of rows to report on
    #[arg(long, default_value_t = 0.2)]
    test: f64,
    /// Rows that share an entity on the right are kept together up to this share of a task and grade
    #[arg(long, default_value_t = 0.05)]
    max_component: f64,
    /// The format of the parts: jsonl, csv, tsv or parquet
    #[arg(long, default_value_t = Format::Jsonl)]
    format: Format,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    reading: Reading,
}

/// `data market`
#[derive(Debug, Args)]
pub(crate) struct MarketArgs {
    /// Where to put the data set
    out: PathBuf,
    /// The seed of everything random
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How many of the six departments are open: the measure of difficulty
    #[arg(long, default_value_t = 2)]
    departments: usize,
    /// Rows of query-product; the other tasks in proportion
    #[arg(long, default_value_t = 6000)]
    rows: usize,
    /// Rows of one task, in place of its proportion: `type-type=300`
    #[arg(long = "task-rows", value_name = "TASK=ROWS", value_parser = task_rows)]
    task_rows: Vec<(Task, usize)>,
    /// A task that grades at odds with the others: `query-query=inverted`, or `details-only`, which
    /// ignores types
    #[arg(long, value_name = "TASK=RULE", value_parser = conflict)]
    conflict: Option<Conflict>,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Data {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Import(args) => args.run(),
            Self::New(args) => args.run(),
            Self::Export(args) => args.run(),
            Self::Build(args) => {
                let recipe = build::Recipe::read(&args.recipe)?;
                let report =
                    build::build(&recipe, &args.source, &args.out, args.overwrite.existing())?;
                say(&serde_json::to_string_pretty(&report)?);
                say(&format!("{}", args.out.display()));
                Ok(())
            }
            Self::Check(args) => {
                let loaded =
                    LoadedDataset::load(&args.data, &args.reading.options(Labels::Required))?;
                let report = check(&loaded.dataset)
                    .with_origins(&loaded)
                    .with_unread(DataFiles::find(&args.data)?.unread);
                let text = if args.json {
                    serde_json::to_string_pretty(&report)?
                } else {
                    report.to_string()
                };
                say(text.trim_end());
                if loaded.dataset.is_empty() {
                    bail!("{}: there are no rows to check", args.data.display());
                }
                if !report.is_sound() {
                    bail!("{}: the splits leak; see above", args.data.display());
                }
                if !report.textless.is_empty() {
                    bail!(
                        "{}: rows have nothing to read on one side; see above",
                        args.data.display()
                    );
                }
                if !report.is_ok() {
                    bail!("{}: not all files were read; see above", args.data.display());
                }
                Ok(())
            }
            Self::Stats(args) => {
                let existing = args.overwrite.existing();
                let file = args.out.map(|out| AtomicFile::create(out, existing)).transpose()?;
                let Inspected { data, reading, json } = args.inspected;
                let card = DataCard::read(&data, &reading.options(Labels::Required))?;
                let text =
                    if json { serde_json::to_string_pretty(&card)? } else { card.to_markdown() };
                let Some(mut file) = file else {
                    say(text.trim_end());
                    return Ok(());
                };
                writeln!(file, "{}", text.trim_end())
                    .with_context(|| file.path().display().to_string())?;
                Ok(file.commit()?)
            }
            Self::Split(args) => {
                let shares = Shares::new(args.train, args.dev, args.test)
                    .map_err(|problem| anyhow!("{problem}; see --train, --dev and --test"))?;
                ensure!(
                    !holds_input(&args.out, &args.input),
                    "{}: the data set would stand beside its own input, or replace it; name another folder",
                    args.out.display()
                );
                let mut folder = DataFolder::open(&args.out, args.overwrite.existing())?;
                let (seed, max_component) = (args.seed, args.max_component);
                let examples = read_examples(&args.input, &args.reading.options(Labels::Required))?;
                if examples.is_empty() {
                    bail!("{}: there are no rows to split", args.input.display());
                }
                let options = SplitOptions { seed, shares, max_component };
                let (dataset, report) = split_rows(examples, &options);
                folder.save(&dataset, args.format)?;
                let parts =
                    [(Split::Train, args.train), (Split::Dev, args.dev), (Split::Test, args.test)];
                for (split, _) in parts.into_iter().filter(|(_, share)| *share > 0.0) {
                    warn_of_gaps(&dataset, split);
                }
                say(&report.to_string());
                say(&format!("{}: {} rows", args.out.display(), dataset.len()));
                Ok(())
            }
            Self::Market(args) => {
                let mut folder = DataFolder::open(&args.out, args.overwrite.existing())?;
                let config = MarketConfig {
                    seed: args.seed,
                    departments: args.departments,
                    ..MarketConfig::default()
                };
                let mut examples = ExampleConfig::default();
                for rows in examples.rows.values_mut() {
                    *rows = *rows * args.rows / 6000;
                }
                examples.rows.extend(args.task_rows);
                examples.conflict = args.conflict;
                let dataset = market(&config, &examples)?;
                if dataset.is_empty() {
                    bail!(
                        "a market without rows is no data set; ask for more: `--rows`, `--task-rows`"
                    );
                }
                folder.save(&dataset, Format::Jsonl)?;
                say(&format!("{}: {} rows", args.out.display(), dataset.len()));
                Ok(())
            }
        }
    }
}

/// Says which tasks have no rows in a split, of those that have rows in another.
fn warn_of_gaps(dataset: &Dataset, split: Split) {
    let has = |split: Split, task: Task| {
        dataset.part(split).iter().any(|example| example.pair.task == task)
    };
    let missing = Task::ALL
        .into_iter()
        .filter(|&task| !has(split, task) && Split::ALL.into_iter().any(|other| has(other, task)));
    let missing: Vec<&str> = missing.map(Task::as_str).collect();
    if !missing.is_empty() {
        complain(&format!(
            "no {split} rows of {}: too few rows, or they are in one group or share entities; see --max-component",
            missing.join(", ")
        ));
    }
}

/// `type-type=300`
fn task_rows(text: &str) -> Result<(Task, usize), String> {
    let (task, rows) = text.split_once('=').ok_or("expected TASK=ROWS")?;
    let rows = rows.parse().map_err(|_| format!("`{rows}` is no number of rows"))?;
    Ok((task.parse().map_err(|error: UnknownName| error.to_string())?, rows))
}

/// `query-query=inverted`
fn conflict(text: &str) -> Result<Conflict, String> {
    let (task, rule) = text.split_once('=').ok_or("expected TASK=RULE")?;
    let rule: Rule = serde_json::from_value(rule.into())
        .map_err(|_| format!("`{rule}` is no rule; expected standard, inverted or details-only"))?;
    Ok(Conflict { task: task.parse().map_err(|error: UnknownName| error.to_string())?, rule })
}

/// A synthetic market as a data set.
pub(crate) fn market(config: &MarketConfig, examples: &ExampleConfig) -> anyhow::Result<Dataset> {
    let mut dataset = Dataset::default();
    for example in Market::generate(config)?.examples(examples)? {
        let split = example.split.unwrap_or(Split::Train);
        dataset.part_mut(split).push(example);
    }
    Ok(dataset)
}
