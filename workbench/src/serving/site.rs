//! Our server, its traffic, and what it answers when nothing else is asked of it.

use super::child::{Server, free_port};
use super::form::{Bodies, scores};
use super::load::{Arrivals, Sent, Target, run};
use super::report;
use super::traffic::Traffic;
use anyhow::{Context, ensure};
use clap::Args;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

/// The API by which our server is asked.
pub(super) const PATH: &str = "/v1/rerank";

/// What every case needs.
#[derive(Debug, Args)]
pub(super) struct Site {
    /// The program `sextant` in release mode; the one beside this program unless stated
    #[arg(long)]
    program: Option<PathBuf>,
    /// The bundle or ensemble that our server answers with
    #[arg(long)]
    pub(super) bundle: PathBuf,
    /// Pairs in JSONL, whose queries and titles are sent
    #[arg(long)]
    pub(super) data: PathBuf,
    /// The precision in which our server computes
    #[arg(long, default_value = "int8")]
    pub(super) precision: String,
    /// A setting of our server, as in its file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// The right answers, by the positions of requests in the mix.
pub(super) type Expected = Rc<Vec<Vec<f64>>>;

impl Site {
    pub(super) fn program(&self) -> anyhow::Result<PathBuf> {
        if let Some(program) = &self.program {
            return Ok(program.clone());
        }
        let own = std::env::current_exe().context("this program has no path")?;
        let program = own.with_file_name("sextant");
        ensure!(
            program.exists(),
            "{} is not there; `cargo build --release --package sextant` makes it",
            program.display()
        );
        Ok(program)
    }

    pub(super) fn traffic(&self) -> anyhow::Result<Traffic> {
        Traffic::read(&self.data, 1)
    }

    pub(super) fn bodies(traffic: &Traffic) -> Bodies {
        Bodies::new(traffic, "main")
    }

    /// Starts our server over a folder.
    pub(super) fn start(
        &self,
        folder: &Path,
        precision: &str,
        port: u16,
    ) -> anyhow::Result<Server> {
        let mut command = Command::new(self.program()?);
        command.arg("serve").arg(format!("main={}", folder.display()));
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--precision", precision]);
        command.args(["--set", "log_level=error"]);
        for setting in &self.set {
            command.args(["--set", setting]);
        }
        Server::start(&format!("sextant {precision}"), command, port, "/ready")
    }

    /// Starts our server over the bundle, at a free port.
    pub(super) fn start_here(&self) -> anyhow::Result<Server> {
        self.start(&self.bundle, &self.precision, free_port()?)
    }
}

/// Asks for every request of the mix, one after another, and keeps the scores.
pub(super) async fn expected(server: &Server, bodies: &Bodies) -> anyhow::Result<Expected> {
    let kept = Rc::new(RefCell::new(vec![Vec::new(); bodies.0.len()]));
    let (keep, rows) = (Rc::clone(&kept), bodies.clone());
    let is_right = move |request: usize, answer: &[u8]| {
        let scores = scores(answer, rows.0[request].1);
        let right = scores.is_some();
        keep.borrow_mut()[request] = scores.unwrap_or_default();
        right
    };
    let target = Target { address: server.address, path: PATH, bodies };
    let sent = run(target, Arrivals::Once, Duration::ZERO, is_right).await;
    ensure!(
        report::only(&sent, |_| false),
        "not every request has a good answer: {}",
        report::outcomes(&sent)
    );
    Ok(Rc::new(kept.take()))
}

/// Asks our server, and compares each answer with those that are right.
pub(super) async fn ask(
    address: SocketAddr,
    bodies: &Bodies,
    arrivals: Arrivals,
    time: Duration,
    right: &[Expected],
) -> Vec<Sent> {
    let target = Target { address, path: PATH, bodies };
    let right = right.to_vec();
    let is_right = move |request: usize, answer: &[u8]| {
        right.iter().any(|right| {
            scores(answer, right[request].len()).is_some_and(|found| found == right[request])
        })
    };
    run(target, arrivals, time, is_right).await
}

/// The rows a second that our server answers when it always has something to do.
pub(super) async fn saturation(server: &Server, bodies: &Bodies, right: &Expected) -> f64 {
    let time = Duration::from_secs(10);
    let sent =
        ask(server.address, bodies, Arrivals::Closed(32), time, std::slice::from_ref(right)).await;
    report::rows_per_second(&sent, time)
}
