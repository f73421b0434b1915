//! Our programs beside the peers. Each round runs every case of every contender once, one after another,
//! so that a busy machine slows all of them alike. The results are medians over rounds, and medians of
//! the ratios within rounds.

mod ours;
mod peers;
mod table;
mod workload;

use anyhow::Context;
use clap::Args;
use ours::Ours;
use peers::Peer;
use std::collections::BTreeMap;
use std::path::PathBuf;
use workload::Workload;

/// `bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The backbone's folder: config.json, model.safetensors, tokenizer.json (`sextant get minilm`)
    #[arg(long, env = "SEXTANT_BENCH_MODEL")]
    model: Option<PathBuf>,
    /// A Python with torch, transformers, sentence-transformers, datasets, onnxruntime and onnx
    #[arg(long, env = "SEXTANT_PEERS_PYTHON")]
    python: Option<PathBuf>,
    /// Measurements of each case
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Fewer rows and rounds: a first look in about three minutes
    #[arg(long)]
    quick: bool,
    /// Only cases whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Also write all times as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Times by case, one of each round, in milliseconds.
pub(crate) type Times = BTreeMap<String, Vec<f64>>;

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let model = self.model.clone().or_else(default_model).context(
            "no backbone: run `sextant get minilm`, or name a folder with `--model FOLDER`",
        )?;
        let (rows, rounds) = if self.quick { (64, 2) } else { (128, self.rounds) };
        let workload = Workload::new(&model, rows)?;
        let place = tempfile::tempdir()?;
        let path = place.path().join("workload.json");
        std::fs::write(&path, workload.to_json(&model)?)?;
        let wanted = |case: &str| self.only.as_deref().is_none_or(|only| case.contains(only));
        let mut peers: Vec<Peer> = Vec::new();
        if let Some(python) = &self.python {
            peers = peers::start(python, &path);
        } else {
            println!("no peers: name a Python that has them with `--python`");
        }
        let mut ours = Ours::new(&model, workload);
        let mut times = Times::new();
        // Round 0 warms up: it fills buffers, packs weights that are packed lazily, and starts thread
        // pools.
        for round in 0..=rounds {
            let mut keep = |case: &str, time: f64| {
                if round > 0 {
                    times.entry(case.to_owned()).or_default().push(time);
                }
            };
            for case in ours::CASES.iter().filter(|case| wanted(case.name)) {
                keep(case.name, ours.run(case)?);
            }
            for peer in &mut peers {
                for case in peer.cases().iter().filter(|case| wanted(case)) {
                    if let Some(time) = peer.run(case) {
                        keep(case, time);
                    }
                }
            }
            println!("round {round} of {rounds}");
        }
        table::print(&times, &ours);
        if let Some(out) = &self.out {
            std::fs::write(out, serde_json::to_vec_pretty(&times)?)
                .with_context(|| format!("cannot write {}", out.display()))?;
        }
        Ok(())
    }
}

/// The folder in which `sextant get minilm` puts the backbone, if it is there.
fn default_model() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let folder = home.join(".cache/sextant/backbones/minilm");
    folder.join("model.safetensors").exists().then_some(folder)
}
