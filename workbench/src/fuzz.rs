//! Fuzzing guided by coverage, with stable Rust: `rustc` can run the LLVM pass that libFuzzer needs.

use anyhow::{Context, bail, ensure};
use clap::Args;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PROGRAM: &str = "sextant-fuzz-guided";
/// Clock ticks per second in which Linux counts processor time for programs, on every architecture.
const TICKS: f64 = 100.0;
/// Seconds of wall time after which an input counts as endless. The slowest inputs take half a second of
/// processor time, and a fuzzer that gets little of the processor is many times slower in wall time.
const PATIENCE: u32 = 120;
/// Seconds of processor time below which libFuzzer is not started again, because it would first read the
/// corpus.
const REST: f64 = 2.0;

/// `fuzz`
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Readers to fuzz: all of them unless named
    targets: Vec<String>,
    /// Seconds of processor time for each (of time by the clock, where the system does not tell)
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The longest input, in bytes
    #[arg(long, default_value_t = 16384)]
    longest: usize,
    /// Where to keep inputs that reached new code, those that did harm, and what libFuzzer says
    #[arg(long, default_value = "target/fuzz")]
    out: PathBuf,
    /// A fuzzer that was built before; without it, one is built
    #[arg(long)]
    program: Option<PathBuf>,
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
        let program = self.program.clone().map_or_else(build, Ok)?;
        println!("| reader | CPU seconds | inputs | edges of our code reached |");
        println!("|---|---:|---:|---:|");
        let mut failed = Vec::new();
        for name in targets {
            let tally = self.fuzz(&program, &place, &name)?;
            println!("| `{name}` | {:.0} | {} | {} |", tally.seconds, tally.inputs, tally.edges);
            if tally.harmed {
                failed.push(name);
            }
        }
        ensure!(
            failed.is_empty(),
            "inputs that do harm to {} are in {}; what they did is told in {}",
            failed.join(", "),
            place.join("found").display(),
            place.join("log").display()
        );
        Ok(())
    }

    /// Starts libFuzzer again and again until the reader has had its processor time, or an input has
    /// done harm. libFuzzer itself ends after a wall time, in which it gets less processor time where
    /// the processor is shared.
    fn fuzz(&self, program: &Path, place: &Path, name: &str) -> anyhow::Result<Tally> {
        let (corpus, found, log) =
            (place.join("corpus").join(name), place.join("found"), place.join("log"));
        for folder in [&corpus, &found, &log] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let command = || {
            let mut command = Command::new(program);
            command.env("SEXTANT_FUZZ_TARGET", name);
            // One thread, because the work of a thread pool would be seen late, or in another order.
            command.env("RAYON_NUM_THREADS", "1");
            command
        };
        let seeds = command().env("SEXTANT_FUZZ_SEEDS", &corpus).status()?;
        ensure!(seeds.success(), "{name}: the seeds cannot be written");
        let findings = sextant_fuzz::target(name).map(sextant_fuzz::Target::findings);
        let mut tally = Tally::default();
        while !tally.harmed && self.seconds as f64 - tally.seconds > REST {
            let left = (self.seconds as f64 - tally.seconds).ceil() as u64;
            let latest = log.join(format!("{name}.latest"));
            let mut command = command();
            command.arg(&corpus).args(findings.iter().filter(|folder| folder.is_dir()));
            command
                .arg(format!("-max_total_time={left}"))
                .arg(format!("-max_len={}", self.longest))
                .arg(format!("-artifact_prefix={}/{name}-", found.display()))
                .arg(format!("-timeout={PATIENCE}"))
                .args(["-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=1"])
                .stderr(File::create(&latest)?);
            let (clock, before) = (Instant::now(), children_time());
            tally.harmed = !command.status()?.success();
            let used = match (before, children_time()) {
                (Some(before), Some(after)) => after.saturating_sub(before),
                _ => clock.elapsed(),
            };
            let said = String::from_utf8_lossy(&std::fs::read(&latest)?).into_owned();
            tally.add(used.as_secs_f64(), &said);
            let mut whole = OpenOptions::new()
                .create(true)
                .append(true)
                .open(log.join(format!("{name}.log")))?;
            whole.write_all(said.as_bytes())?;
            writeln!(whole, "xtask: {:.1} CPU seconds", used.as_secs_f64())?;
        }
        Ok(tally)
    }
}

/// The totals of fuzzing one reader.
#[derive(Debug, Default)]
struct Tally {
    /// Seconds of processor time.
    seconds: f64,
    inputs: u64,
    /// Edges of the control flow that any input took.
    edges: u64,
    /// Whether the last input did harm.
    harmed: bool,
}

impl Tally {
    /// Adds one run, from what libFuzzer printed.
    fn add(&mut self, seconds: f64, said: &str) {
        self.seconds += seconds;
        let number_after = |line: &str, key: &str| -> Option<u64> {
            line.split(key).nth(1)?.split_whitespace().next()?.parse().ok()
        };
        for line in said.lines() {
            self.inputs += number_after(line, "stat::number_of_executed_units:").unwrap_or(0);
            self.edges = self.edges.max(number_after(line, " cov: ").unwrap_or(0));
        }
    }
}

/// Processor time of the child processes that this process has waited for; `None` where the system does
/// not tell.
fn children_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the program's name in brackets come the state and 12 fields more, then `cutime` and `cstime`.
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(13).take(2);
    let ticks = fields.map(|field| field.parse::<f64>().ok()).sum::<Option<f64>>()?;
    Some(Duration::from_secs_f64(ticks / TICKS))
}

/// Builds the program, with the workspace's own crates instrumented. Dependencies are those of an
/// ordinary build, so that this takes little time; libFuzzer sees no coverage inside them.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_added_up() {
        let said = "#2\tINITED cov: 7 ft: 9 corp: 1/1b\n#64\tNEW    cov: 12 ft: 20\n\
                    stat::number_of_executed_units: 64\nstat::peak_rss_mb: 40\n";
        let mut tally = Tally::default();
        tally.add(1.5, said);
        tally.add(2.0, "#9\tDONE   cov: 11 ft: 20\nstat::number_of_executed_units:  9\n");
        assert_eq!((tally.seconds, tally.inputs, tally.edges), (3.5, 73, 12));
    }

    #[test]
    fn the_processor_time_of_a_child_is_counted() {
        let Some(before) = children_time() else { return };
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", busy]).status().unwrap().success());
        assert!(children_time().unwrap() > before);
    }
}
