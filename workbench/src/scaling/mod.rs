//! `bench scale`: one training by one process and by several, in turns.
//!
//! Every case trains the same recipe on the same rows for some steps. Each round runs every case once, one after
//! another, so that a busy machine slows all of them alike; a case's number is the median over rounds of the median
//! over a run's steps. Cases whose weights must be those of one process are compared with it, bit for bit.

mod network;
mod train;

use anyhow::{Context, ensure};
use clap::Args;
use network::Network;
use std::collections::BTreeMap;
use std::path::PathBuf;
use train::{Place, Ran};

/// `bench scale`
#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// A `sextant` that was built with `--features mpi`; built anew unless stated
    #[arg(long)]
    program: Option<PathBuf>,
    /// The backbone's folder (`sextant get minilm`), or `scratch` for MiniLM's sizes with random weights
    #[arg(long, default_value = "scratch")]
    model: String,
    /// Steps of each run, of which the first three do not count
    #[arg(long, default_value_t = 12)]
    steps: u64,
    /// Rows of a step
    #[arg(long, default_value_t = 64)]
    rows: usize,
    /// The most tokens of a pack; a step should have several packs for each rank
    #[arg(long, default_value_t = 512)]
    pack_tokens: usize,
    /// Runs of each case
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Further settings of the recipe, as `sextant train --set`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Also run two ranks that reach each other through a network of this bandwidth, such as `1gbit`, between
    /// namespaces of this machine; needs root. May be repeated
    #[arg(long, value_name = "RATE")]
    network: Vec<String>,
    /// Only cases whose name contains this
    #[arg(long)]
    only: Option<String>,
}

/// One way to run the training.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    name: String,
    ranks: usize,
    threads: usize,
    settings: &'static [&'static str],
    /// The bandwidth between ranks, if it is limited.
    rate: Option<String>,
    /// Whether the weights must be those of one process.
    exact: bool,
}

impl Case {
    fn new(
        name: &str,
        (ranks, threads): (usize, usize),
        settings: &'static [&'static str],
    ) -> Self {
        let exact = !settings.iter().any(|setting| setting.contains("ring"));
        Self { name: name.to_owned(), ranks, threads, settings, rate: None, exact }
    }
}

const RING: &str = "distributed.reduction=\"ring\"";
const SHARD: &str = "distributed.shard_optimizer=true";

impl Scale {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        println!("{}", crate::bench::cpu());
        let wanted = |case: &Case| self.only.as_deref().is_none_or(|only| case.name.contains(only));
        let cases: Vec<Case> = self.cases().into_iter().filter(wanted).collect();
        ensure!(
            !cases.is_empty(),
            "no case has a name that contains `{}`",
            self.only.unwrap_or_default()
        );
        let place =
            Place::new(self.program.as_deref(), &self.model, (self.rows, self.pack_tokens))?;
        let mut found: BTreeMap<usize, Vec<Ran>> = BTreeMap::new();
        let mut weights: Option<String> = None;
        for round in 1..=self.rounds {
            for (index, case) in cases.iter().enumerate() {
                let network = match &case.rate {
                    Some(rate) => {
                        Some(Network::new(case.ranks, rate).context("cannot limit the network")?)
                    }
                    None => None,
                };
                let ran = place.run(case, network.as_ref(), self.steps, &self.settings)?;
                if case.exact {
                    let expected = weights.get_or_insert_with(|| ran.weights.clone());
                    ensure!(
                        *expected == ran.weights,
                        "{}: the weights are not those of the other cases",
                        case.name
                    );
                }
                found.entry(index).or_default().push(ran);
            }
            println!("\nafter round {round} of {}:", self.rounds);
            print(&cases, &found);
        }
        Ok(())
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = vec![
            Case::new("one process, two threads", (1, 2), &[]),
            Case::new("one process, one thread", (1, 1), &[]),
            Case::new("two ranks of one thread, fixed", (2, 1), &[]),
            Case::new("two ranks of one thread, ring", (2, 1), &[RING]),
            Case::new("two ranks of one thread, fixed, sharded optimizer", (2, 1), &[SHARD]),
        ];
        for rate in &self.network {
            for (order, settings) in [("fixed", &[][..]), ("ring", &[RING])] {
                let name = format!("two ranks of one thread, {order}, {rate}");
                cases.push(Case { rate: Some(rate.clone()), ..Case::new(&name, (2, 1), settings) });
            }
        }
        cases
    }
}

/// The table: milliseconds of a step, of which exchanging, and waiting for that; megabytes that a rank sends in a step; memory.
fn print(cases: &[Case], found: &BTreeMap<usize, Vec<Ran>>) {
    let median = |index: usize, number: fn(&Ran) -> f64| {
        crate::bench::median(&found[&index].iter().map(number).collect::<Vec<_>>())
    };
    println!(
        "\n| case | ms a step | of the first case | of it exchanging, ms | waiting for that, ms | sent by a rank, MB | memory of rank 0, MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for (index, case) in cases.iter().enumerate() {
        let step = median(index, |ran| ran.step);
        // Runs of one round follow one another closely, so that ratios are taken within rounds.
        let ratios: Vec<f64> = found[&index]
            .iter()
            .zip(&found[&0])
            .map(|(ran, first)| ran.step / first.step)
            .collect();
        println!(
            "| {} | {:.0} | {:.3} | {:.0} | {:.0} | {:.1} | {:.0} |",
            case.name,
            1e3 * step,
            crate::bench::median(&ratios),
            1e3 * median(index, |ran| ran.exchanging),
            1e3 * median(index, |ran| ran.waited),
            median(index, |ran| ran.sent) / 1e6,
            median(index, |ran| ran.memory) / f64::from(1 << 20),
        );
    }
    println!(
        "\nWaiting for the other rank counts as exchanging. Weights of all cases but `ring` are equal, bit for bit."
    );
}
