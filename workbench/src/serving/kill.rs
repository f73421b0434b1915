//! A server that dies and comes again.

use super::child::free_port;
use super::load::{Arrivals, Outcome};
use super::report;
use super::site::{Site, ask, expected, saturation};
use anyhow::ensure;
use clap::Args;
use std::time::Duration;

/// `bench serve kill`
#[derive(Debug, Args)]
pub(crate) struct Kill {
    #[command(flatten)]
    site: Site,
    /// How often the server is killed
    #[arg(long, default_value_t = 10)]
    times: usize,
    /// Seconds that it runs between
    #[arg(long, default_value_t = 4)]
    seconds: u64,
}

impl Kill {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let traffic = self.site.traffic()?;
        let bodies = Site::bodies(&traffic);
        let port = free_port()?;
        let start = || self.site.start(&self.site.bundle, &self.site.precision, port);
        let server = start()?;
        let (right, most) = super::block_on(async {
            let right = expected(&server, &bodies).await?;
            let most = saturation(&server, &bodies, &right).await;
            anyhow::Ok((right.as_ref().clone(), most))
        })??;
        // The client goes on in a thread of its own while this one kills and starts.
        let time = Duration::from_secs(self.seconds * (self.times as u64 + 1) + 5);
        let address = server.address;
        let client = std::thread::spawn(move || {
            let right = [std::rc::Rc::new(right)];
            let arrivals = Arrivals::Open(0.5 * most / traffic.mean_rows());
            let asked = ask(address, &bodies, arrivals, time, &right);
            super::block_on(asked)
        });
        let mut server = server;
        let mut away = Duration::ZERO;
        for _ in 0..self.times {
            std::thread::sleep(Duration::from_secs(self.seconds));
            let begun = std::time::Instant::now();
            drop(server);
            server = start()?;
            away += begun.elapsed();
        }
        let sent = client.join().map_err(|_| anyhow::anyhow!("the client panicked"))??;
        drop(server);
        println!("killed {} times, away for {:.1} s in all", self.times, away.as_secs_f64());
        println!("{}", report::outcomes(&sent));
        // Between listening and ready, the server opens its model, and requests wait for that.
        ensure!(
            report::only(&sent, |outcome| outcome == Outcome::Broken),
            "some requests came to something else than a right answer or a broken connection"
        );
        Ok(())
    }
}
