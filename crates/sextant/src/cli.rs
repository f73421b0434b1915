//! The command line's grammar.

use clap::{Args, Parser, Subcommand};
use sextant_core::Task;
use sextant_data::{Encoding, Format, Labels, Quoting, ReadOptions, Separator};
use sextant_files::Existing;

/// Trains, compares and uses relevance models for e-commerce entity pairs.
#[derive(Debug, Parser)]
#[command(name = "sextant", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a synthetic market, train the three routings on it, compare them
    Demo(crate::demo::Demo),
    /// Make, check and describe data sets
    #[command(subcommand)]
    Data(crate::data::Data),
    /// Train a model as a recipe says
    Train(crate::train::Train),
    /// Evaluate a bundle on labelled rows
    Eval(crate::evaluate::Eval),
    /// Put runs side by side on the same rows
    Compare(crate::compare::Compare),
    /// Count answers about related pairs that contradict each other
    Consistency(crate::consistency::ConsistencyCommand),
    /// Put models together as one
    Ensemble(crate::ensemble::Ensemble),
    /// Train grids of runs and report on them
    #[command(subcommand)]
    Lab(crate::lab::LabCommand),
    /// Score the pairs of a file
    Score(crate::score::Score),
    /// Say what a bundle or a data set holds
    Inspect(crate::inspect::Inspect),
    /// Write a task of a bundle for transformers, peft or ONNX Runtime
    Export(crate::export::Export),
    /// Make a bundle of a published reranker or classifier, or of a PEFT adapter
    Import(crate::import::Import),
    /// Add a bundle's adapters to its weights
    Merge(crate::merge::Merge),
    /// Fetch a pretrained backbone
    Get(crate::get::Get),
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Demo(command) => command.run(),
            Command::Data(command) => command.run(),
            Command::Train(command) => command.run(),
            Command::Eval(command) => command.run(),
            Command::Compare(command) => command.run(),
            Command::Consistency(command) => command.run(),
            Command::Ensemble(command) => command.run(),
            Command::Lab(command) => command.run(),
            Command::Score(command) => command.run(),
            Command::Inspect(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::Merge(command) => command.run(),
            Command::Get(command) => command.run(),
        }
    }
}

/// What happens to what is at an output's place already.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Overwrite {
    /// Replace what is at the output's place already, and say what it was
    #[arg(long)]
    overwrite: bool,
}

impl Overwrite {
    /// Whether it may be replaced.
    pub(crate) fn existing(self) -> Existing {
        if self.overwrite { Existing::Overwrite } else { Existing::Refuse }
    }
}

/// How to read files of rows.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reading {
    #[command(flatten)]
    files: FileReading,
    /// The task of rows that name none
    #[arg(long)]
    task: Option<Task>,
}

/// How to read files of rows, where a command says itself which task rows are of that name none.
#[derive(Debug, Clone, Args)]
pub(crate) struct FileReading {
    /// How text files stand for characters: utf-8 or latin-1
    #[arg(long, default_value_t = Encoding::Utf8)]
    encoding: Encoding,
    /// The format of input whose name does not say it: jsonl, csv, tsv or parquet
    #[arg(long)]
    input_format: Option<Format>,
    /// How cells of CSV and TSV are quoted: rfc4180, backslash (as Spark writes them) or none
    #[arg(long)]
    quoting: Option<Quoting>,
    /// What separates the cells of CSV and TSV: a character, or tab
    #[arg(long, allow_hyphen_values = true)]
    separator: Option<Separator>,
    /// The most bytes that a row of text may have
    #[arg(long, default_value_t = ReadOptions::MAX_ROW_BYTES)]
    max_row_bytes: usize,
}

impl Reading {
    /// Options for rows that must have a grade, or need none.
    pub(crate) fn options(&self, labels: Labels) -> ReadOptions {
        self.files.options(labels, self.task)
    }
}

impl FileReading {
    /// Options for rows that must have a grade, or need none, and the task of rows that name none.
    pub(crate) fn options(&self, labels: Labels, default_task: Option<Task>) -> ReadOptions {
        ReadOptions {
            format: self.input_format,
            encoding: self.encoding,
            quoting: self.quoting,
            separator: self.separator,
            max_row_bytes: self.max_row_bytes,
            default_task,
            labels,
        }
    }
}
