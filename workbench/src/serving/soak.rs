//! A long time under load.

use super::load::{Arrivals, Sent};
use super::report;
use super::site::{Site, ask, expected, saturation};
use anyhow::ensure;
use clap::Args;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// `bench serve soak`
#[derive(Debug, Args)]
pub(crate) struct Soak {
    #[command(flatten)]
    site: Site,
    /// The share of what can be answered that is asked for
    #[arg(long, default_value_t = 0.7)]
    share: f64,
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
}

/// The resident memory of a server while something else goes on, once a second.
pub(super) struct Memory {
    samples: Rc<RefCell<Vec<f64>>>,
    task: AbortHandle,
}

impl Memory {
    /// Begins to look.
    pub(super) fn watch(resident: impl Fn() -> f64 + 'static) -> Self {
        let samples = Rc::new(RefCell::new(Vec::new()));
        let kept = Rc::clone(&samples);
        let task = tokio::task::spawn_local(async move {
            loop {
                kept.borrow_mut().push(resident());
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Self { samples, task: task.abort_handle() }
    }

    /// The means of the tenths of the time, which tell growth from warming up.
    pub(super) fn told(&self) -> String {
        let samples = self.samples.borrow();
        let tenths = samples.chunks(samples.len().div_ceil(10).max(1));
        let means: Vec<_> = tenths
            .map(|tenth| format!("{:.0}", tenth.iter().sum::<f64>() / tenth.len() as f64))
            .collect();
        let most = samples.iter().copied().fold(0.0, f64::max);
        format!("resident MiB, means of tenths: {}; most {most:.0}", means.join(" "))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks a server of ours for a share of what it can answer, or for several times that, and says what came of it and
/// how much memory it took.
pub(super) fn asked(site: &Site, share: f64, time: Duration) -> anyhow::Result<Vec<Sent>> {
    let traffic = site.traffic()?;
    let bodies = Site::bodies(&traffic);
    let server = site.start_here()?;
    let sent = super::block_on(async {
        let right = expected(&server, &bodies).await?;
        let most = saturation(&server, &bodies, &right).await;
        let rate = share * most / traffic.mean_rows();
        println!("saturation {most:.0} rows/s; asked for {rate:.1} requests a second");
        let memory = Memory::watch(server.memory());
        let sent = ask(server.address, &bodies, Arrivals::Open(rate), time, &[right]).await;
        println!("{}", memory.told());
        anyhow::Ok(sent)
    })??;
    println!("{}", report::outcomes(&sent));
    Ok(sent)
}

impl Soak {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let sent = asked(&self.site, self.share, Duration::from_secs(self.seconds))?;
        let tenths = sent.chunks(sent.len().div_ceil(10).max(1));
        let p99: Vec<_> =
            tenths.map(|tenth| format!("{:.0}", report::latency(tenth, None, 0.99))).collect();
        println!("p99 in ms, by tenths: {}", p99.join(" "));
        ensure!(report::only(&sent, |_| false), "some requests were not answered right");
        Ok(())
    }
}
