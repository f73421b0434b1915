//! Fuzzing guided by coverage, with stable Rust: `rustc` can run LLVM's pass that libFuzzer needs.

use anyhow::{Context, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "sextant-fuzz-guided";

/// `fuzz`
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Readers to fuzz: all of them unless named
    targets: Vec<String>,
    /// Seconds for each
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The longest input, in bytes
    #[arg(long, default_value_t = 16384)]
    longest: usize,
    /// Where to keep inputs that reached new code, and those that did harm
    #[arg(long, default_value = "target/fuzz")]
    out: PathBuf,
}

impl Fuzz {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let all = sextant_fuzz::TARGETS.iter().map(|target| target.name);
        let targets: Vec<String> = if self.targets.is_empty() {
            all.map(str::to_owned).collect()
        } else {
            self.targets.clone()
        };
        if let Some(name) = targets.iter().find(|name| sextant_fuzz::target(name).is_none()) {
            bail!("no reader `{name}`; there are {}", sextant_fuzz::names());
        }
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot create {}", self.out.display()))?;
        let place = self.out.canonicalize().context("cannot find the folder")?;
        let program = build()?;
        let mut failed = Vec::new();
        for name in targets {
            println!("fuzz {name}");
            if !self.fuzz(&program, &place, &name)? {
                failed.push(name);
            }
        }
        ensure!(
            failed.is_empty(),
            "inputs that do harm to {} are in {}",
            failed.join(", "),
            place.join("found").display()
        );
        Ok(())
    }

    /// Whether all inputs were answered.
    fn fuzz(&self, program: &Path, place: &Path, name: &str) -> anyhow::Result<bool> {
        let (corpus, found) = (place.join("corpus").join(name), place.join("found"));
        for folder in [&corpus, &found] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let command = || {
            let mut command = Command::new(program);
            command.env("SEXTANT_FUZZ_TARGET", name);
            // One thread: what a pool does is seen late, or in another order.
            command.env("RAYON_NUM_THREADS", "1");
            command
        };
        let seeds = command().env("SEXTANT_FUZZ_SEEDS", &corpus).status()?;
        ensure!(seeds.success(), "{name}: the seeds cannot be written");
        let findings = sextant_fuzz::target(name).map(sextant_fuzz::Target::findings);
        let mut command = command();
        command.arg(corpus).args(findings.filter(|folder| folder.is_dir()));
        command
            .arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-max_len={}", self.longest))
            .arg(format!("-artifact_prefix={}/{name}-", found.display()))
            .args(["-timeout=20", "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=1"]);
        Ok(command.status()?.success())
    }
}

/// Builds the program, with the workspace's own crates instrumented. Dependencies are those of an ordinary
/// build, so that this takes little; inside them libFuzzer sees nothing.
fn build() -> anyhow::Result<PathBuf> {
    let wrapper = std::env::current_dir()?.join("fuzz/instrument");
    let status = Command::new("cargo")
        // All packages are selected so that dependencies have the features of an ordinary build.
        .args(["build", "--workspace", "--features", "sextant-fuzz/guided", "--bin", PROGRAM])
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the fuzzer does not build");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(target.join("debug").join(PROGRAM))
}
