//! `sextant serve`.

use crate::say::complain;
use anyhow::Context;
use clap::Args;
use sextant_serve::{ServeError, Server, Settings};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// `serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Bundles or ensembles, each a folder or NAME=FOLDER; the first one answers requests that name none
    models: Vec<String>,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// A TOML file of settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A setting, as in the file; it goes over the file's
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// f32, bf16 or int8 products; int8-weights or int4-weights: f32 products, weights stored in few bits
    #[arg(long)]
    precision: Option<String>,
    /// `cpu`, or, in a build with `--features cuda`, `cuda` or `cuda:1`
    #[arg(long)]
    device: Option<String>,
    /// The task of pairs in requests of other APIs that name none
    #[arg(long)]
    task: Option<String>,
    /// Look every two seconds whether models were replaced, and reload those that were
    #[arg(long)]
    watch: bool,
    /// Open each model at its first request
    #[arg(long)]
    lazy: bool,
    /// A bundle or an ensemble that answers the same pairs off the critical path, to compare
    #[arg(long, value_name = "FOLDER")]
    shadow: Option<String>,
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = self.settings().resolve().context("the server's settings have mistakes")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.context("cannot start the threads of connections")?.block_on(serve(config))
    }

    /// How the log is written, as the settings say it.
    pub(crate) fn log(&self) -> (bool, String) {
        self.settings().log()
    }

    /// What the file and the command line say; the latter goes over the former.
    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        if let Some(file) = &self.config {
            settings.read(file);
        }
        self.set.iter().for_each(|setting| settings.set(setting));
        if !self.models.is_empty() {
            settings.insert("models", self.models.clone());
        }
        for (key, value) in [
            ("listen", &self.listen),
            ("precision", &self.precision),
            ("device", &self.device),
            ("default_task", &self.task),
            ("shadow", &self.shadow),
        ] {
            if let Some(value) = value {
                settings.insert(key, value.clone());
            }
        }
        if self.watch {
            settings.insert("watch_seconds", 2);
        }
        if self.lazy {
            settings.insert("lazy", true);
        }
        settings
    }
}

/// Serves until a signal comes: SIGTERM and SIGINT end the server after its last answer, a second one at once;
/// SIGHUP reloads models.
async fn serve(config: sextant_serve::ServerConfig) -> anyhow::Result<()> {
    let secured = if config.tls.is_some() { "https" } else { "http" };
    let open = config.surface.access.is_open() && !config.address.ip().is_loopback();
    let server = Server::bind(config).await?;
    complain(&format!("listening on {secured}://{}", server.address()));
    if open {
        complain(
            "anybody who reaches this address may ask; set `api_keys_file` or `api_keys_env` unless that is meant",
        );
    }
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut term, mut int) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut hangup = listen(SignalKind::hangup())?;
    let reloader = server.reloader();
    let reloading = tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reloader.reload().await;
        }
    });
    let (asked, stop) = tokio::sync::oneshot::channel::<()>();
    let stopping = tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        complain("stopping after the requests that are under way; a second signal stops at once");
        drop(asked);
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    });
    let ended = tokio::select! {
        ended = server.run(async { let _ = stop.await; }) => ended,
        _ = stopping => Err(ServeError::NotDrained),
    };
    reloading.abort();
    Ok(ended?)
}
