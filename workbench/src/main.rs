//! Measurements and proofs that need the product's own crates and are no part of the product. `cargo
//! xtask` builds and starts this program for such tasks: xtask builds in seconds, and this program in
//! minutes.

#![expect(clippy::print_stdout, reason = "a command for developers")]

mod bench;
mod fuzz;
mod lengths;
mod prove;
mod scaling;
mod serving;

use clap::{Args, Parser, Subcommand};
use sextant_kernels::CachingAllocator;

/// The product's allocator, because the product's speed is measured with it.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(4 << 30);

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Tasks that need the product's own crates")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure training and scoring beside the peers, interleaved, and print one table
    Bench(Box<Measure>),
    /// Print the token lengths of rows of a data set
    Lengths(lengths::Lengths),
    /// Give readers of foreign bytes inputs that coverage guides, and look for panics, hangs and greed
    Fuzz(fuzz::Fuzz),
    /// Check claims that take minutes
    #[command(subcommand)]
    Prove(prove::Prove),
}

/// `bench`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
struct Measure {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    bench: bench::Bench,
}

/// What is measured if it is not training and scoring.
#[derive(Debug, Subcommand)]
enum What {
    /// Measure the server under load, beside other servers
    #[command(subcommand)]
    Serve(serving::ServeBench),
    /// Measure one training by one process and by several, in turns
    Scale(scaling::Scale),
}

impl Measure {
    fn run(self) -> anyhow::Result<()> {
        match self.what {
            Some(What::Serve(serve)) => serve.run(),
            Some(What::Scale(scale)) => scale.run(),
            None => self.bench.run(),
        }
    }
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Bench(task) => task.run(),
        Task::Lengths(task) => task.run(),
        Task::Fuzz(task) => task.run(),
        Task::Prove(task) => task.run(),
    }
}
