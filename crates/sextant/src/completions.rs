//! `sextant completions` and `sextant man`: the command line's grammar for shells and for readers.

use crate::arguments::Overwrite;
use crate::say::say;
use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;
use std::path::PathBuf;

/// `completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script for a grammar.
    pub(crate) fn run(self, mut grammar: Command) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut grammar, "sextant", &mut script);
        say(String::from_utf8(script).context("the script is no text")?.trim_end());
        Ok(())
    }
}

/// `man`
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder of the pages
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Man {
    /// Writes the pages of a grammar.
    pub(crate) fn run(self, grammar: Command) -> anyhow::Result<()> {
        self.overwrite.existing().check(&self.out)?;
        let unwritten = || format!("cannot write to {}", self.out.display());
        std::fs::create_dir_all(&self.out).with_context(unwritten)?;
        clap_mangen::generate_to(grammar, &self.out).with_context(unwritten)?;
        say(&format!("man pages in {}", self.out.display()));
        Ok(())
    }
}
