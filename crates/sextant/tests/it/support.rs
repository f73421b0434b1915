//! A folder with a small market and a recipe, and ways to run the program there.

use assert_cmd::Command;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A recipe that trains in a second: every key that a test changes is here or has a default.
pub(crate) const RECIPE: &str = r#"
name = "tiny"
[data]
path = "market"
dev_rows = 60
[model]
backbone = { vocab_size = 400, hidden_size = 16, layers = 2, attention_heads = 2, intermediate_size = 32 }
routing = { prefix = false, heads = "per_task", private_layers = 1 }
pooling = "mean"
dense = false
[text]
max_tokens = 32
[optimizer]
learning_rate = 2e-3
[schedule]
steps = 20
[batch]
rows = 16
[dev]
every = 5
"#;

/// A working folder.
pub(crate) struct Place(TempDir);

impl Place {
    /// Empty.
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With `market/` and `tiny.toml`.
    pub(crate) fn with_market() -> Self {
        static MARKET: OnceLock<TempDir> = OnceLock::new();
        let market = MARKET.get_or_init(|| {
            let place = Place::empty();
            place.ok(&["data", "market", "market", "--rows", "300"]);
            place.0
        });
        let place = Self::empty();
        copy(&market.path().join("market"), &place.path("market"));
        place.write("tiny.toml", RECIPE);
        place
    }

    /// With a trained bundle in `runs/tiny/bundle` too.
    pub(crate) fn with_bundle() -> Self {
        static TRAINED: OnceLock<Place> = OnceLock::new();
        let trained = TRAINED.get_or_init(|| {
            let place = Self::with_market();
            place.ok(&["train", "tiny.toml"]);
            place
        });
        let place = Self::with_market();
        copy(&trained.path("runs"), &place.path("runs"));
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("sextant").unwrap();
        command.current_dir(self.0.path()).env("SEXTANT_HOME", self.path("home")).args(args);
        command
    }

    /// Runs to success; standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.command(args).assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    }

    /// Runs to failure, without a panic; standard error.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let output = self.command(args).assert().failure().get_output().clone();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!error.contains("panicked"), "{error}");
        assert!(output.status.code().is_some(), "killed by a signal: {error}");
        error
    }

    /// The names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}
