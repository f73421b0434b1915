//! Our programs beside the peers. Each round runs every case of every contender once, one after another,
//! so that a busy machine slows all of them alike. The results are medians over rounds, and medians of
//! the ratios within rounds.

mod against;
mod interval;
mod kept;
mod moved;
mod ours;
mod peers;
mod products;
mod shapes;
mod table;
mod workload;

use anyhow::{Context, ensure};
use clap::Args;
use kept::Kept;
use ours::Ours;
use peers::Peer;
use products::Products;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
pub(crate) use table::{cpu, median};
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
    /// Measurements of each case; 5 unless stated, and 6 with `--against`
    #[arg(long)]
    rounds: Option<usize>,
    /// Fewer rows and rounds: a first look in about three minutes
    #[arg(long)]
    quick: bool,
    /// Only cases whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Only these of them, by whole names, which is what `--against` asks of its own program
    #[arg(long = "case", hide = true)]
    cases: Vec<String>,
    /// Also write all times as JSON
    #[arg(long)]
    out: Option<PathBuf>,
    /// Keep the times in the repository, under this name and that of the processor
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
    /// Compare with a revision, which is built and run in turns with this working tree, or with times that
    /// `--save` kept for this processor; the peers do not run
    #[arg(long, value_name = "REVISION|NAME")]
    against: Option<String>,
}

/// Times by case, one of each round, in milliseconds.
pub(crate) type Times = BTreeMap<String, Vec<f64>>;

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let model = self.model.clone().or_else(default_model).context(
            "no backbone: run `sextant get minilm`, or name a folder with `--model FOLDER`",
        )?;
        // What a long run would end in is looked up before it.
        let root = if self.save.is_some() || self.against.is_some() {
            against::root().context("`--save` and `--against` need a git repository")?
        } else {
            PathBuf::new()
        };
        let times = match &self.against {
            None => {
                let python = self.python.as_deref();
                self.measure(&model, python, self.rounds.unwrap_or(5), true)?
            }
            Some(name) => self.compare(&model, &root, name)?,
        };
        if let Some(name) = &self.save {
            let kept = Kept::new(&times, against::revision(&root)?, self.quick);
            println!("\nkept in {}", kept.save(&root, name)?.display());
        }
        if let Some(out) = &self.out {
            std::fs::write(out, serde_json::to_vec_pretty(&times)?)
                .with_context(|| format!("cannot write {}", out.display()))?;
        }
        Ok(())
    }

    /// Compares with kept times of this name, if there are any, and else with this revision. Returns our times.
    fn compare(&self, model: &Path, root: &Path, name: &str) -> anyhow::Result<Times> {
        let rounds = self.rounds.unwrap_or(6);
        let Some(kept) = Kept::read(root, name)? else {
            let other = against::Other::build(root, name)?;
            let [ours, theirs] = against::interleaved(self, model, rounds, &other)?;
            moved::print(&ours, &theirs, &other.commit, interval::paired);
            return Ok(ours);
        };
        ensure!(
            kept.quick == self.quick,
            "the times kept as `{name}` were measured {} `--quick`, which changes what a case is",
            if kept.quick { "with" } else { "without" }
        );
        let ours = self.measure(model, None, rounds, false)?;
        moved::print(&ours, &kept.times(), name, interval::unpaired);
        println!(
            "`{name}` was measured at another time, at {}: what else the machine did then is part of the difference. `--against REVISION` runs both now.",
            kept.revision
        );
        Ok(ours)
    }

    /// Runs every case of ours, and of the peers if there are any, once in each round.
    fn measure(
        &self,
        model: &Path,
        python: Option<&Path>,
        rounds: usize,
        print: bool,
    ) -> anyhow::Result<Times> {
        let (rows, rounds) = if self.quick { (64, rounds.min(2)) } else { (128, rounds) };
        let workload = Workload::new(model, rows)?;
        let place = tempfile::tempdir()?;
        let path = place.path().join("workload.json");
        std::fs::write(&path, workload.to_json(model)?)?;
        let wanted = |case: &str| {
            self.only.as_deref().is_none_or(|only| case.contains(only))
                && (self.cases.is_empty() || self.cases.iter().any(|name| name == case))
        };
        let mut peers: Vec<Peer> = Vec::new();
        if let Some(python) = python {
            peers = peers::start(python, &path, wanted);
        } else if print {
            println!("no peers: name a Python that has them with `--python`");
        }
        let mut ours = Ours::new(model, workload);
        let mut products = Products::default();
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
            for (shape, _) in products::SHAPES {
                let case = products::case(shape, "ours");
                if wanted(&case) {
                    keep(&case, products.run(shape)?);
                }
            }
            for peer in &mut peers {
                for case in peer.cases().into_iter().filter(|case| wanted(case)) {
                    if let Some(time) = peer.run(&case) {
                        keep(&case, time);
                    }
                }
            }
            println!("round {round} of {rounds}");
        }
        if print {
            table::print(&times, &ours);
            products.print(&times);
        }
        Ok(times)
    }
}

/// The folder in which `sextant get minilm` puts the backbone, if it is there.
fn default_model() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let folder = home.join(".cache/sextant/backbones/minilm");
    folder.join("model.safetensors").exists().then_some(folder)
}
