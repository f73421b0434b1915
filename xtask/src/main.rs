//! `cargo xtask`: tasks for the workspace that are no part of the product.
//!
//! This program needs none of our own crates, so that it builds within seconds. Tasks that need them are
//! in `workbench/`, to which this program passes them on.

#![expect(clippy::print_stdout, reason = "a command for developers")]

mod asan;
mod ci;
mod workbench;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Tasks of the workspace")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run the checks that CI runs: all of them, or those that are named
    Ci(ci::Ci),
    /// Run the kernels' tests with AddressSanitizer, at every level of instructions
    Asan(asan::Asan),
    /// Measure training and scoring beside the peers, interleaved, and print one table
    #[command(disable_help_flag = true)]
    Bench(workbench::Rest),
    /// Print the token lengths of rows of a data set
    #[command(disable_help_flag = true)]
    Lengths(workbench::Rest),
    /// Give readers of foreign bytes inputs that coverage guides, and look for panics, hangs and greed
    #[command(disable_help_flag = true)]
    Fuzz(workbench::Rest),
    /// Check claims that take minutes
    #[command(disable_help_flag = true)]
    Prove(workbench::Rest),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Ci(task) => task.run(),
        Task::Asan(task) => task.run(),
        Task::Bench(rest) => rest.pass_on("bench"),
        Task::Lengths(rest) => rest.pass_on("lengths"),
        Task::Fuzz(rest) => rest.pass_on("fuzz"),
        Task::Prove(rest) => rest.pass_on("prove"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workbench_gets_its_arguments_as_they_were_typed() {
        let typed = ["gguf", "--seconds", "60", "--help"];
        let cli = Cli::try_parse_from(["xtask", "fuzz"].into_iter().chain(typed)).unwrap();
        let Task::Fuzz(rest) = cli.task else { panic!("{cli:?}") };
        assert_eq!(rest.arguments, typed);
        let cli = Cli::try_parse_from(["xtask", "bench", "--quick"]).unwrap();
        let Task::Bench(rest) = cli.task else { panic!("{cli:?}") };
        assert_eq!(rest.arguments, ["--quick"]);
    }
}
