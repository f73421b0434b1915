//! Latency at a given rate.

use super::load::{Arrivals, Sent};
use super::peers::Peers;
use super::report;
use super::saturation::{ask, contenders};
use super::site::Site;
use super::traffic::SIZES;
use clap::Args;
use std::time::Duration;

/// `bench serve latency`
#[derive(Debug, Args)]
pub(crate) struct Latency {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    peers: Peers,
    /// Rows a second that are asked for, such as half of what the best peer answers at saturation
    #[arg(long)]
    rows: f64,
    /// Rounds; in each, every server is asked once
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Seconds for which a server is asked in a round
    #[arg(long, default_value_t = 15)]
    seconds: u64,
}

impl Latency {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let traffic = self.site.traffic()?;
        let contenders = contenders(&self.site, &self.peers)?;
        let time = Duration::from_secs(self.seconds);
        let rate = self.rows / traffic.mean_rows();
        let mut all: Vec<Vec<Sent>> = vec![Vec::new(); contenders.len()];
        for round in 0..=self.rounds {
            for (contender, all) in contenders.iter().zip(&mut all) {
                let time = if round == 0 { Duration::from_secs(2) } else { time };
                let asked = ask(contender, &traffic, Arrivals::Open(rate), time);
                let sent = super::block_on(asked)?;
                if round > 0 {
                    all.extend(sent);
                }
            }
        }
        println!("\n{:.0} rows/s in {rate:.1} requests a second; milliseconds\n", self.rows);
        let of_size = SIZES.map(|(size, _)| format!("p99 of {size}"));
        println!("| server | p50 | p99 | {} | most | requests |", of_size.join(" | "));
        println!("|---|---:|---:|{}---:|---:|", "---:|".repeat(SIZES.len()));
        for (contender, all) in contenders.iter().zip(&all) {
            let of = |rows, quantile| format!("{:.0}", report::latency(all, rows, quantile));
            let sizes = SIZES.map(|(size, _)| of(Some(size), 0.99));
            println!(
                "| {} | {} | {} | {} | {} | {} |",
                contender.server.name,
                of(None, 0.5),
                of(None, 0.99),
                sizes.join(" | "),
                of(None, 1.0),
                all.len()
            );
            if !report::only(all, |_| false) {
                println!("{}: {}", contender.server.name, report::outcomes(all));
            }
        }
        Ok(())
    }
}
