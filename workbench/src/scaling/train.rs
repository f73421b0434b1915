//! One run of the training.

use super::{Case, Network};
use anyhow::{Context, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the runs are: a data set, a recipe, a program.
pub(super) struct Place {
    folder: tempfile::TempDir,
    program: PathBuf,
}

/// What came out of a run.
pub(super) struct Ran {
    /// Seconds of a step.
    pub(super) step: f64,
    /// Seconds of a step in which rank 0 exchanged with others, or waited for them.
    pub(super) exchanging: f64,
    /// Seconds of a step in which rank 0 waited for gradients without computing.
    pub(super) waited: f64,
    /// Bytes that rank 0 sent in a step.
    pub(super) sent: f64,
    /// The most memory of rank 0, in bytes.
    pub(super) memory: f64,
    /// The hash of the weights.
    pub(super) weights: String,
}

/// Steps that do not count: they fill buffers and start threads.
const WARM_UP: usize = 3;

impl Place {
    pub(super) fn new(
        program: Option<&Path>,
        model: &str,
        (rows, pack_tokens): (usize, usize),
    ) -> anyhow::Result<Self> {
        let program = match program {
            Some(program) => program
                .canonicalize()
                .with_context(|| format!("no program {}", program.display()))?,
            None => build()?,
        };
        let folder = tempfile::tempdir()?;
        let mut market = Command::new(&program);
        market.args(["data", "market", "market", "--rows", "3000"]).current_dir(folder.path());
        said(&mut market)?;
        let backbone = match model {
            "scratch" => "{ vocab_size = 30000, hidden_size = 384, layers = 12, attention_heads = 12, intermediate_size = 1536 }".to_owned(),
            folder => format!("{:?}", Path::new(folder).canonicalize()?.display().to_string()),
        };
        let recipe = format!(
            "name = \"scale\"\nprecision = \"f32\"\n[data]\npath = \"market\"\ndev_rows = 1200\n[model]\nbackbone = {backbone}\nrouting = {{ prefix = false, heads = \"per_task\" }}\n[text]\nmax_tokens = 96\n[batch]\nrows = {rows}\npack_tokens = {pack_tokens}\n[checkpoint]\nminutes = 0\n"
        );
        std::fs::write(folder.path().join("scale.toml"), recipe)?;
        Ok(Self { folder, program })
    }

    pub(super) fn run(
        &self,
        case: &Case,
        network: Option<&Network>,
        steps: u64,
        settings: &[String],
    ) -> anyhow::Result<Ran> {
        let mut command = if case.ranks == 1 {
            Command::new(&self.program)
        } else {
            let mut mpirun = Command::new("mpirun");
            mpirun.args(["-n", &case.ranks.to_string(), "-x", "RAYON_NUM_THREADS"]);
            match network {
                Some(network) => network.prepare(&mut mpirun),
                None => drop(mpirun.args(["--bind-to", "core"])),
            }
            mpirun.arg(&self.program);
            mpirun.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")]);
            mpirun
        };
        // With `--overwrite`, because the run before has left its files.
        command.args(["train", "scale.toml", "--out", "run", "--overwrite"]);
        let lengths = [format!("schedule.steps={steps}"), format!("dev.every={steps}")];
        let own = case.settings.iter().map(ToString::to_string);
        for setting in lengths.into_iter().chain(own).chain(settings.iter().cloned()) {
            command.args(["--set", &setting]);
        }
        command.env("RAYON_NUM_THREADS", case.threads.to_string()).current_dir(self.folder.path());
        said(&mut command).with_context(|| case.name.clone())?;
        self.read()
    }

    fn read(&self) -> anyhow::Result<Ran> {
        let run = self.folder.path().join("run");
        let log = std::fs::read_to_string(run.join("log.jsonl"))?;
        let lines = log.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        let steps: Vec<&Value> =
            lines.iter().filter(|line| line["event"] == "step").skip(WARM_UP).collect();
        ensure!(!steps.is_empty(), "too few steps: the first {WARM_UP} do not count");
        let median = |number: fn(&Value) -> Option<f64>| {
            let numbers: Vec<f64> = steps.iter().map(|step| number(step).unwrap_or(0.0)).collect();
            crate::bench::median(&numbers)
        };
        let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json"))?)?;
        Ok(Ran {
            step: median(|step| step["seconds"].as_f64()),
            exchanging: median(|step| step["communication"]["seconds"].as_f64()),
            waited: median(|step| step["communication"]["waited"].as_f64()),
            sent: median(|step| step["communication"]["bytes"].as_f64()),
            memory: summary["peak_memory_bytes"].as_f64().unwrap_or(0.0),
            weights: sextant_files::sha256(&run.join("checkpoint/model.safetensors"))?,
        })
    }
}

/// Builds the program with MPI, as it is shipped.
fn build() -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--package", "sextant", "--features", "mpi"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let output =
        cargo.stderr(std::process::Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "the program cannot be built with MPI (Debian: libopenmpi-dev, libclang-dev)"
    );
    let lines = String::from_utf8(output.stdout)?;
    let artifacts = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = artifacts
        .filter(|line| line["target"]["name"] == "sextant")
        .find_map(|line| Some(PathBuf::from(line["executable"].as_str()?)));
    program.context("cargo names no program that it has built")
}

/// Runs a command, whose output is shown if it fails.
fn said(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run `{name}`"))?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "`{name}` failed:\n{}", String::from_utf8_lossy(&said));
    Ok(())
}
