//! `sextant get`, and how a backbone's name becomes a folder.

use crate::say::say;
use anyhow::ensure;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sextant_hub::{Client, DownloadEvent, DownloadObserver, Origin, Store, find, known};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

/// `get`
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The backbone; without a name, the known ones are listed
    name: Option<String>,
    /// Accept the terms that the weights come with, where they ask for it
    #[arg(long)]
    accept_license: bool,
    /// Treat a download as broken off after so many seconds without data, and resume it
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: u64,
}

impl Get {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Some(name) = self.name else {
            for known in known() {
                let from = match known.origin {
                    Origin::Package(package) => package.describe(),
                    Origin::Hub(hub) => format!("{} @ {}", hub.id, &hub.revision[..12]),
                };
                say(&format!("{:<22}{from:<58}{}", known.name, known.licence));
            }
            return Ok(());
        };
        let known = find(&name)?;
        let store = Store::from_environment();
        if let Some(terms) = known.terms.filter(|_| !store.has(known)) {
            say(terms);
            ensure!(
                self.accept_license,
                "`{name}` asks for acceptance of these terms; run `sextant get {name} --accept-license` if you accept them"
            );
        }
        let client = Client::from_environment(Duration::from_secs(self.idle_timeout));
        let folder = store.get(known, self.accept_license, &client, &mut Bar::default())?;
        say(&format!("{} ({}): {}", known.name, known.licence, folder.display()));
        Ok(())
    }
}

/// The folder of a backbone: a path, or a name that was fetched.
pub(crate) fn resolve(name: &str) -> Result<PathBuf, String> {
    Store::from_environment().resolve(name).map_err(|error| error.to_string())
}

/// A bar on a terminal for the file that is downloaded. A signal ends this command at once; the part
/// that has arrived is kept.
#[derive(Default)]
struct Bar(Option<ProgressBar>);

impl DownloadObserver for Bar {
    fn on_event(&mut self, event: DownloadEvent<'_>) -> ControlFlow<()> {
        match event {
            DownloadEvent::Started { file, bytes, total } => {
                let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
                let template = "{msg} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_message(file.to_owned());
                bar.set_position(bytes);
                self.0 = Some(bar);
            }
            DownloadEvent::Received { bytes } => {
                if let Some(bar) = &self.0 {
                    bar.set_position(bytes);
                }
            }
            DownloadEvent::Ended => {
                if let Some(bar) = self.0.take() {
                    bar.finish_and_clear();
                }
            }
            DownloadEvent::Waiting => {}
        }
        ControlFlow::Continue(())
    }
}
