//! Times that are kept in the repository, for each kind of processor apart: `benches/kept/PROCESSOR/NAME.json`.

use super::Times;
use super::table::median;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sextant_files::{AtomicFile, Existing};
use sextant_kernels::Processor;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The times of one run of the benchmark.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// The processor's name, its features that kernels use, and their level.
    pub(crate) processor: String,
    pub(crate) features: Vec<String>,
    pub(crate) level: String,
    pub(crate) threads: usize,
    /// The commit, and whether anything was changed since.
    pub(crate) revision: String,
    /// Whether `--quick` made the sets of rows smaller.
    pub(crate) quick: bool,
    pub(crate) cases: BTreeMap<String, KeptCase>,
}

/// The times of one case, in milliseconds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptCase {
    pub(crate) median: f64,
    /// One of each round.
    pub(crate) times: Vec<f64>,
}

impl Kept {
    pub(crate) fn new(times: &Times, revision: String, quick: bool) -> Self {
        let Processor { name, features, level, .. } = Processor::detect();
        let case = |(case, times): (&String, &Vec<f64>)| {
            (case.clone(), KeptCase { median: median(times), times: times.clone() })
        };
        Self {
            processor: name,
            features: features.into_iter().map(str::to_owned).collect(),
            level: level.to_owned(),
            threads: threads(),
            revision,
            quick,
            cases: times.iter().map(case).collect(),
        }
    }

    /// Writes the times to the repository at `root`. Returns the path.
    pub(crate) fn save(&self, root: &Path, name: &str) -> anyhow::Result<PathBuf> {
        ensure!(
            is_plain(name),
            "`--save {name}`: a name of letters, digits, `-`, `_` and `.`, which becomes a file's"
        );
        let path = path(root, name);
        let folder = path.parent().context("the path has a folder")?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let mut file = AtomicFile::create(&path, Existing::Own)?;
        serde_json::to_writer_pretty(&mut file, self)
            .with_context(|| format!("cannot write {}", path.display()))?;
        file.commit()?;
        Ok(path)
    }

    /// The times that are kept under a name for this processor; `None` if there are none.
    pub(crate) fn read(root: &Path, name: &str) -> anyhow::Result<Option<Self>> {
        if !is_plain(name) {
            return Ok(None);
        }
        let path = path(root, name);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| format!("{} is not what `--save` writes", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// The times by case.
    pub(crate) fn times(&self) -> Times {
        self.cases.iter().map(|(case, kept)| (case.clone(), kept.times.clone())).collect()
    }
}

/// Whether a name can be that of a file, on every system.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

fn path(root: &Path, name: &str) -> PathBuf {
    let processor = Processor::detect();
    let text = format!("{} {} threads", processor.model, threads()).to_lowercase();
    let folder: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    root.join("benches/kept").join(folder).join(format!("{name}.json"))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_by_processor_and_name() {
        let place = tempfile::tempdir().unwrap();
        let times = Times::from([("train mix f32 ours".to_owned(), vec![3.0, 1.0, 2.0])]);
        let kept = Kept::new(&times, "abc".into(), false);
        assert_eq!(kept.cases["train mix f32 ours"].median, 2.0);
        assert_eq!(Kept::read(place.path(), "main").unwrap(), None);
        let path = kept.save(place.path(), "main").unwrap();
        assert!(path.ends_with("main.json") && path.starts_with(place.path().join("benches/kept")));
        let read = Kept::read(place.path(), "main").unwrap().unwrap();
        assert_eq!((read.times(), &read), (times, &kept));
        kept.save(place.path(), "main").unwrap(); // a newer one takes its place

        for name in ["", ".", "../x", "a/b", ".hidden", "a b"] {
            assert!(kept.save(place.path(), name).is_err(), "{name}");
            assert_eq!(Kept::read(place.path(), name).unwrap(), None, "{name}");
        }
        std::fs::write(&path, "{}").unwrap();
        let error = Kept::read(place.path(), "main").unwrap_err();
        assert!(format!("{error:#}").contains("is not what `--save` writes"), "{error:#}");
    }
}
