//! Tasks that need the product's own crates.

use anyhow::{Context, ensure};
use clap::Args;
use std::process::Command;

/// The arguments of such a task, which are passed on to the workbench as they are, `--help` among them.
#[derive(Debug, Args)]
pub(crate) struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

impl Rest {
    /// Builds the workbench in release mode, as the product is shipped, because it measures speed, and
    /// runs a task there.
    pub(crate) fn pass_on(self, task: &str) -> anyhow::Result<()> {
        let status = Command::new("cargo")
            .args(["run", "--release", "--package", "sextant-workbench", "--", task])
            .args(self.arguments)
            .status()
            .context("cannot run cargo")?;
        ensure!(status.success(), "`{task}` failed; what it said is above");
        Ok(())
    }
}
