//! A model that is replaced again and again.

use super::child::Server;
use super::load::Arrivals;
use super::report;
use super::site::{Expected, Site, ask, expected, saturation};
use anyhow::{Context, ensure};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// `bench serve reload`
#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    site: Site,
    /// Another bundle, which takes turns with the first
    #[arg(long)]
    other: PathBuf,
    /// Seconds between two reloads
    #[arg(long, default_value_t = 10)]
    every: u64,
    #[arg(long, default_value_t = 120)]
    seconds: u64,
}

impl Reload {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let traffic = self.site.traffic()?;
        let bodies = Site::bodies(&traffic);
        let place = tempfile::tempdir()?;
        let folder = place.path().join("model");
        let answers = |bundle: &Path| -> anyhow::Result<Expected> {
            let server =
                self.site.start(bundle, &self.site.precision, super::child::free_port()?)?;
            super::block_on(expected(&server, &bodies))?
        };
        let right = [answers(&self.site.bundle)?, answers(&self.other)?];
        let apart = right[0].iter().zip(right[1].iter()).filter(|(one, other)| one != other);
        ensure!(apart.count() > 0, "the two bundles answer alike, so that nothing would be seen");
        put(&self.site.bundle, &folder)?;
        let server = self.site.start(&folder, &self.site.precision, super::child::free_port()?)?;
        let most = super::block_on(saturation(&server, &bodies, &right[0]))?;
        let arrivals = Arrivals::Open(0.5 * most / traffic.mean_rows());
        let time = Duration::from_secs(self.seconds);
        let (address, right) = (server.address, right.map(|right| right.as_ref().clone()));
        let client = std::thread::spawn(move || {
            let right = right.map(std::rc::Rc::new);
            super::block_on(ask(address, &bodies, arrivals, time, &right))
        });
        let reloads = self.reload(&server, &folder, time)?;
        let sent = client.join().map_err(|_| anyhow::anyhow!("the client panicked"))??;
        println!("{reloads} reloads; {}", report::outcomes(&sent));
        println!(
            "p50 {:.0} ms, p99 {:.0} ms, most {:.0} ms",
            report::latency(&sent, None, 0.5),
            report::latency(&sent, None, 0.99),
            report::latency(&sent, None, 1.0)
        );
        ensure!(report::only(&sent, |_| false), "some requests were not answered right");
        Ok(())
    }

    /// Puts the two bundles into the folder by turns, and tells the server each time.
    fn reload(&self, server: &Server, folder: &Path, time: Duration) -> anyhow::Result<usize> {
        let begun = Instant::now();
        let mut reloads = 0;
        while begun.elapsed() + Duration::from_secs(self.every) < time {
            std::thread::sleep(Duration::from_secs(self.every));
            let bundle = if reloads % 2 == 0 { &self.other } else { &self.site.bundle };
            put(bundle, folder)?;
            server.hang_up()?;
            reloads += 1;
        }
        Ok(reloads)
    }
}

/// Copies a bundle beside a place, and renames it there.
fn put(bundle: &Path, place: &Path) -> anyhow::Result<()> {
    let (next, old) = (place.with_extension("next"), place.with_extension("old"));
    std::fs::create_dir(&next)?;
    for entry in
        std::fs::read_dir(bundle).with_context(|| format!("cannot read {}", bundle.display()))?
    {
        let entry = entry?;
        std::fs::copy(entry.path(), next.join(entry.file_name()))?;
    }
    if place.exists() {
        std::fs::rename(place, &old)?;
        std::fs::rename(&next, place)?;
        std::fs::remove_dir_all(&old)?;
    } else {
        std::fs::rename(&next, place)?;
    }
    Ok(())
}
