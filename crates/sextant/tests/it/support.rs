//! A folder with a small market and a recipe, and ways to run the program there.

use assert_cmd::Command;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::{NamedTempFile, TempDir};

/// A recipe that trains in a second: every key that a test changes is here or has a default.
pub(crate) const RECIPE: &str = r#"
name = "tiny"
precision = "f32"
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

/// A lab recipe that takes seconds, with this `[grid]` and what follows it. The backbone comes before
/// it.
pub(crate) fn lab(name: &str, steps: u32, every: u32, grid: &str) -> String {
    format!(
        r#"
# A comment worth keeping.
name = "{name}"

[base]
precision = "f32"
tasks = ["query-type", "product-type"]
[base.data]
path = "market"
dev_rows = 60
[base.model]
pooling = "mean"
dense = false
[base.text]
max_tokens = 64
[base.optimizer]
learning_rate = 2e-3
[base.schedule]
steps = {steps}
[base.batch]
rows = 16
[base.dev]
every = {every}

[[grid.backbones]]
label = "tiny"
backbone = {{ vocab_size = 400, hidden_size = 16, layers = 2, attention_heads = 2, intermediate_size = 32 }}

{grid}"#
    )
}

/// A temporary folder in which a test runs the program.
pub(crate) struct WorkFolder(TempDir);

impl WorkFolder {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with `market/` and `tiny.toml`.
    pub(crate) fn with_market() -> Self {
        static MARKET: OnceLock<TempDir> = OnceLock::new();
        let market = MARKET.get_or_init(|| {
            let place = WorkFolder::empty();
            place.ok(&["data", "market", "market", "--rows", "300"]);
            place.0
        });
        let place = Self::empty();
        copy(&market.path().join("market"), &place.path("market"));
        place.write("tiny.toml", RECIPE);
        place
    }

    /// A folder that also has a trained bundle in `runs/tiny/bundle`.
    pub(crate) fn with_bundle() -> Self {
        static TRAINED: OnceLock<WorkFolder> = OnceLock::new();
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

    /// Runs the program, which must succeed; returns its standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.command(args).assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    }

    /// Runs the program, which must fail without a panic; returns its standard error.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let output = self.command(args).assert().failure().get_output().clone();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!error.contains("panicked"), "{error}");
        assert!(output.status.code().is_some(), "killed by a signal: {error}");
        error
    }

    /// Starts the program beside the test.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let program = assert_cmd::cargo::cargo_bin("sextant");
        self.spawn(std::process::Command::new(program).args(args))
    }

    /// Starts the program beside the test with hangups ignored, as `nohup` does.
    pub(crate) fn start_nohup(&self, args: &[&str]) -> Running {
        let program = assert_cmd::cargo::cargo_bin("sextant");
        let script = "trap '' HUP; exec \"$0\" \"$@\"";
        let mut shell = std::process::Command::new("sh");
        self.spawn(shell.args(["-c", script]).arg(program).args(args))
    }

    /// Starts a program beside the test.
    pub(crate) fn spawn(&self, command: &mut std::process::Command) -> Running {
        let said = NamedTempFile::new().unwrap();
        let output = File::options().append(true).open(said.path()).unwrap();
        let child = command
            .current_dir(self.0.path())
            .env("SEXTANT_HOME", self.path("home"))
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Running { child, said }
    }

    /// Number of lines of a file; 0 if it is not there.
    pub(crate) fn lines(&self, name: &str) -> usize {
        std::fs::read_to_string(self.path(name)).map_or(0, |text| text.lines().count())
    }

    /// Sets a tensor of a stored bundle to the largest number that there is, so that products with it
    /// overflow.
    pub(crate) fn overflow(&self, bundle: &str, tensor: &str) {
        let weights = self.path(bundle).join("model.safetensors");
        let hash = || sextant_data::DataFile::read(&weights).unwrap().sha256;
        let (old, mut bytes) = (hash(), std::fs::read(&weights).unwrap());
        let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..start]).unwrap();
        let offset = |i: usize| header[tensor]["data_offsets"][i].as_u64().unwrap() as usize;
        for number in bytes[start + offset(0)..start + offset(1)].chunks_exact_mut(4) {
            number.copy_from_slice(&f32::MAX.to_le_bytes());
        }
        std::fs::write(&weights, bytes).unwrap();
        let manifest = self.read(&format!("{bundle}/bundle.json")).replace(&old, &hash());
        self.write(&format!("{bundle}/bundle.json"), manifest);
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

/// Whether the tests were started with hangups ignored, which the programs that they start inherit.
#[cfg(unix)]
pub(crate) fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|bits| u64::from_str_radix(bits.trim(), 16).unwrap() & 1 == 1)
}

/// A program that runs beside the test. It ends with the test at the latest.
pub(crate) struct Running {
    child: Child,
    said: NamedTempFile,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a condition is true, while the program runs.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_mins(2), "{what}: {}", self.said());
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended before: {what}: {}", self.said());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the program has printed a text.
    pub(crate) fn until_said(&mut self, text: &str) {
        let path = self.said.path().to_owned();
        self.until(text, || std::fs::read_to_string(&path).unwrap().contains(text));
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Kills the program, as a failing machine would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap(); // SIGKILL
        self.child.wait().unwrap();
    }

    /// Waits for the program's end; returns its status and what it printed on both its outputs.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
            assert!(begun.elapsed() < Duration::from_mins(4), "it does not end: {}", self.said());
        };
        (status, self.said())
    }

    /// What the program has printed so far on both its outputs.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.said.path()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Either the program has ended, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
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

/// The rows with another text on their left, so that no row of a data set has their pairs.
pub(crate) fn pairs_of_their_own(rows: &str) -> String {
    let another = |line: &str| {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        let left = &mut row["left"];
        let text = if left.is_string() { left } else { &mut left["title"] };
        *text = format!("{} anew", text.as_str().unwrap()).into();
        format!("{row}\n")
    };
    rows.lines().map(another).collect()
}
