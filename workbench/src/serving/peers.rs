//! The servers that ours is compared with.

use super::child::{Server, free_port};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the peers are installed; one that is not named is left out. All of them answer with the folder that
/// `benches/peers/one_label.py` makes.
#[derive(Debug, Args)]
pub(super) struct Peers {
    /// The folder that `benches/peers/one_label.py` made of the backbone
    #[arg(long)]
    one_label: Option<PathBuf>,
    /// A Python with infinity-emb and its extras server, torch and optimum
    #[arg(long)]
    infinity: Option<PathBuf>,
    /// A Python with sentence-transformers, fastapi and uvicorn
    #[arg(long)]
    fastapi: Option<PathBuf>,
    /// A Python with xllamacpp
    #[arg(long)]
    llama: Option<PathBuf>,
}

/// A server, and how it is asked.
pub(super) struct Contender {
    pub(super) server: Server,
    pub(super) path: &'static str,
    /// The name by which it knows its model.
    pub(super) model: String,
}

impl Peers {
    /// Starts all peers; one that does not start is named and left out.
    pub(super) fn start(&self) -> Vec<Contender> {
        let Some(model) = &self.one_label else {
            println!("no peers: name their model with `--one-label`");
            return Vec::new();
        };
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers");
        let mut started = Vec::new();
        let mut keep = |contender: anyhow::Result<Contender>| match contender {
            Ok(contender) => started.push(contender),
            Err(problem) => println!("left out: {problem:#}"),
        };
        if let Some(python) = &self.infinity {
            keep(infinity("infinity, torch", python, model, "torch"));
            keep(infinity("infinity, ONNX f32", python, &model.join("onnx-f32"), "optimum"));
            keep(infinity("infinity, ONNX int8", python, &model.join("onnx-int8"), "optimum"));
        }
        if let Some(python) = &self.fastapi {
            let command = |port: u16| {
                let mut command = Command::new(python);
                command.arg(here.join("serve_fastapi.py")).arg(model).arg(port.to_string());
                command
            };
            keep(peer("sentence-transformers, FastAPI", command, "/health", "/rerank", model));
        }
        if let Some(python) = &self.llama {
            for kind in ["f32", "q8_0"] {
                let file = model.join(format!("model-{kind}.gguf"));
                let command = |port: u16| {
                    let mut command = Command::new(python);
                    command.arg(here.join("serve_llama.py")).arg(&file).arg(port.to_string());
                    command
                };
                let name = format!("llama.cpp {kind}");
                keep(peer(&name, command, "/health", "/v1/rerank", model));
            }
        }
        started
    }
}

fn peer(
    name: &str,
    command: impl Fn(u16) -> Command,
    ready: &str,
    path: &'static str,
    model: &Path,
) -> anyhow::Result<Contender> {
    let port = free_port()?;
    let mut command = command(port);
    command.env("HF_HUB_OFFLINE", "1").env("DO_NOT_TRACK", "1").stderr(std::process::Stdio::null());
    let server = Server::start(name, command, port, ready)?;
    let model = model.display().to_string();
    Ok(Contender { server, path, model })
}

/// With the settings that its documentation names for processors.
fn infinity(name: &str, python: &Path, model: &Path, engine: &str) -> anyhow::Result<Contender> {
    let command = |port: u16| {
        let mut command = Command::new(python.with_file_name("infinity_emb"));
        command.args(["v2", "--device", "cpu", "--host", "127.0.0.1", "--engine", engine]);
        command.args(["--no-bettertransformer", "--no-model-warmup"]);
        command.args(["--port", &port.to_string(), "--model-id"]);
        command.arg(model).args(["--served-model-name", "main"]);
        command
    };
    let contender = peer(name, command, "/health", "/rerank", model)?;
    Ok(Contender { model: "main".to_owned(), ..contender })
}
