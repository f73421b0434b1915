//! Far more requests than can be answered.

use super::load::Outcome;
use super::report;
use super::site::Site;
use super::soak::asked;
use anyhow::ensure;
use clap::Args;
use std::time::Duration;

/// `bench serve overload`
#[derive(Debug, Args)]
pub(crate) struct Overload {
    #[command(flatten)]
    site: Site,
    /// How many times the rate that can be answered is asked for
    #[arg(long, default_value_t = 10.0)]
    times: f64,
    #[arg(long, default_value_t = 300)]
    seconds: u64,
}

impl Overload {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let time = Duration::from_secs(self.seconds);
        let sent = asked(&self.site, self.times, time)?;
        println!(
            "answered {:.0} rows/s; those answered waited {:.0} ms (p50), {:.0} ms (p99)",
            report::rows_per_second(&sent, time),
            report::latency(&sent, None, 0.5),
            report::latency(&sent, None, 0.99)
        );
        let refused = |outcome| matches!(outcome, Outcome::Refused | Outcome::Unsent);
        ensure!(report::only(&sent, refused), "some requests came to something else");
        Ok(())
    }
}
