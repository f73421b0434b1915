//! The command line's grammar.

use clap::{CommandFactory, Parser, Subcommand};

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
    /// Put a small and a large model together, which is asked where the small one is not sure
    Cascade(crate::cascade::CascadeCommand),
    /// Fit the rules by which a model's grades are decided
    Decide(crate::decide::Decide),
    /// Grade pairs by a language model behind an OpenAI-compatible endpoint, and compare it with people
    Judge(Box<crate::judge::JudgeCommand>),
    /// Train grids of runs and report on them
    #[command(subcommand)]
    Lab(crate::lab::LabCommand),
    /// Score the pairs of a file
    Score(crate::score::Score),
    /// Answer pairs over HTTP
    #[cfg(unix)]
    Serve(crate::serve::Serve),
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
    /// Print a script that completes these commands in a shell
    Completions(crate::completions::Completions),
    /// Write manual pages of these commands
    Man(crate::completions::Man),
}

impl Cli {
    /// How a command that writes a log of its own does it: whether as JSON, and from which level on.
    pub(crate) fn log(&self) -> Option<(bool, String)> {
        match &self.command {
            #[cfg(unix)]
            Command::Serve(command) => Some(command.log()),
            _ => None,
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Demo(command) => command.run(),
            Command::Data(command) => command.run(),
            Command::Train(command) => command.run(),
            Command::Eval(command) => command.run(),
            Command::Compare(command) => command.run(),
            Command::Consistency(command) => command.run(),
            Command::Ensemble(command) => command.run(),
            Command::Cascade(command) => command.run(),
            Command::Decide(command) => command.run(),
            Command::Judge(command) => command.run(),
            Command::Lab(command) => command.run(),
            Command::Score(command) => command.run(),
            #[cfg(unix)]
            Command::Serve(command) => command.run(),
            Command::Inspect(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::Merge(command) => command.run(),
            Command::Get(command) => command.run(),
            Command::Completions(command) => command.run(Self::command()),
            Command::Man(command) => command.run(Self::command()),
        }
    }
}
