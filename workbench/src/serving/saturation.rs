//! How much a server answers when it always has something to do.

use super::form::{Bodies, scores};
use super::load::{Arrivals, Sent, Target, run};
use super::peers::{Contender, Peers};
use super::report;
use super::site::{PATH, Site};
use super::traffic::Traffic;
use crate::bench::median;
use clap::Args;
use std::time::Duration;

/// `bench serve saturation`
#[derive(Debug, Args)]
pub(crate) struct Saturation {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    peers: Peers,
    /// Rounds; in each, every server is asked once
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds for which a server is asked in a round
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Connections that ask at a time
    #[arg(long, default_value_t = 16)]
    connections: usize,
}

/// All servers that are compared: ours in its precisions, and the peers.
pub(super) fn contenders(site: &Site, peers: &Peers) -> anyhow::Result<Vec<Contender>> {
    let ours = site.precision.split(',').map(|precision| {
        let server = site.start(&site.bundle, precision, super::child::free_port()?)?;
        Ok(Contender { server, path: PATH, model: "main".to_owned() })
    });
    let mut all = ours.collect::<anyhow::Result<Vec<_>>>()?;
    all.extend(peers.start());
    Ok(all)
}

/// Asks a server for some time. An answer is right if it has a score for every title.
pub(super) async fn ask(
    contender: &Contender,
    traffic: &Traffic,
    arrivals: Arrivals,
    time: Duration,
) -> Vec<Sent> {
    let bodies = Bodies::new(traffic, &contender.model);
    let rows: Vec<_> = bodies.0.iter().map(|(_, rows)| *rows).collect();
    let target =
        Target { address: contender.server.address, path: contender.path, bodies: &bodies };
    let is_right = move |request: usize, answer: &[u8]| scores(answer, rows[request]).is_some();
    run(target, arrivals, time, is_right).await
}

impl Saturation {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let traffic = self.site.traffic()?;
        let contenders = contenders(&self.site, &self.peers)?;
        let time = Duration::from_secs(self.seconds);
        let mut rates = vec![Vec::new(); contenders.len()];
        for round in 0..=self.rounds {
            for (contender, rates) in contenders.iter().zip(&mut rates) {
                // Round 0 warms up.
                let time = if round == 0 { Duration::from_secs(2) } else { time };
                let arrivals = Arrivals::Closed(self.connections);
                let sent = super::block_on(ask(contender, &traffic, arrivals, time))?;
                if !report::only(&sent, |_| false) {
                    println!("{}: {}", contender.server.name, report::outcomes(&sent));
                }
                // Said at once, so that a run that is ended early has shown something.
                let rate = report::rows_per_second(&sent, time);
                println!("round {round}, {}: {rate:.0} rows/s", contender.server.name);
                if round > 0 {
                    rates.push(rate);
                }
            }
        }
        println!("\n| server | rows/s | least | most | resident MiB |\n|---|---:|---:|---:|---:|");
        for (contender, rates) in contenders.iter().zip(&rates) {
            let (least, most) = rates.iter().fold((f64::MAX, 0.0_f64), |(least, most), &rate| {
                (least.min(rate), most.max(rate))
            });
            let (name, memory) = (&contender.server.name, contender.server.resident());
            println!("| {name} | {:.0} | {least:.0} | {most:.0} | {memory:.0} |", median(rates));
        }
        Ok(())
    }
}
