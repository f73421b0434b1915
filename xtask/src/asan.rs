//! Memory checks of the kernels.

use anyhow::{Context, ensure};
use clap::Args;
use std::process::Command;

/// `asan`
#[derive(Debug, Args)]
pub(crate) struct Asan {
    /// Levels of instructions to run, as `SEXTANT_SIMD` names them (one that this machine lacks runs as its best)
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "portable,avx2,avxvnni,avx512,avx512bf16,amx"
    )]
    levels: Vec<String>,
    /// Where to build: instrumented code is kept apart
    #[arg(long, default_value = "target/asan")]
    target: String,
}

impl Asan {
    /// Runs the kernels' tests, which reach all code that handles pointers, over ragged sizes.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        for level in &self.levels {
            println!("AddressSanitizer, {level}");
            let status = Command::new("cargo")
                .args(["test", "--release", "-p", "sextant-kernels", "--lib", "--test"])
                .args(["conformance", "--target", "x86_64-unknown-linux-gnu", "--target-dir"])
                .arg(&self.target)
                // The sanitizer's runtime ships with stable toolchains; its flag is unstable.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTFLAGS", "-Zsanitizer=address")
                // burn keeps global tables for the life of the process.
                .env("ASAN_OPTIONS", "detect_leaks=0")
                .env("SEXTANT_SIMD", level)
                .status()
                .context("cannot run cargo")?;
            ensure!(status.success(), "the tests failed at level {level}");
        }
        Ok(())
    }
}
