//! The ledger: a line for every finished run, with what it was, what it cost and what came out.

use crate::LabError;
use crate::cell::Role;
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_files::{Lock, append_line};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The run's name and folder.
    pub name: String,
    /// The backbone's label.
    pub backbone: String,
    /// The routing's label.
    pub routing: String,
    /// Why the run is in the grid.
    pub role: Role,
    /// SHA-256 of the recipe as JSON.
    pub recipe_sha256: String,
    /// Identifies the recipe and the encoded rows; copied from the run's summary.
    pub fingerprint: String,
    /// SHA-256 of the data set's files.
    pub data_sha256: String,
    /// The program: its version, and the commit it was built from where known.
    pub code: String,
    /// The seed.
    pub seed: u64,
    /// Distinct training rows.
    pub train_rows: usize,
    /// Rows trained on, repetitions counted.
    pub rows: u64,
    /// Number of training steps.
    pub steps: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Floating-point operations of training; see [`crate::training_flops`].
    pub flops: f64,
    /// Seconds spent in steps.
    pub seconds: f64,
    /// The most memory that the process held in this run, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Number of parameters of the model.
    pub parameters: u64,
    /// Number of parameters that were trained.
    pub trainable_parameters: u64,
    /// The best value of the dev metric.
    pub dev: Option<f64>,
    /// The step at which the best dev value was reached.
    pub dev_step: Option<u64>,
    /// Accuracy on the test rows of the model's tasks, all together; `None` for the trials of a search, which do not
    /// answer them.
    pub test_accuracy: Option<f64>,
    /// Accuracy on the test rows of each task.
    pub test_accuracy_by_task: BTreeMap<Task, f64>,
    /// Seconds for predicting the test rows.
    pub test_seconds: f64,
    /// Number of test rows.
    pub test_rows: usize,
}

/// The ledger's file: one JSON object per line. Of two lines about the same run, the later one counts.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    entries: BTreeMap<String, LedgerEntry>,
}

impl Ledger {
    /// Reads the ledger of a lab's folder. Without a file the ledger is empty.
    ///
    /// A last line without a line break was cut off when a process was killed: it is skipped, and the
    /// next entry replaces it.
    ///
    /// # Errors
    /// A complete line is not an entry.
    pub fn open(folder: &Path) -> Result<Self, LabError> {
        let path = folder.join("ledger.jsonl");
        let entries = read(&path)?;
        Ok(Self { path, entries })
    }

    /// The entry of a run.
    pub fn get(&self, name: &str) -> Option<&LedgerEntry> {
        self.entries.get(name)
    }

    /// Reads the file again, and returns the names of the runs that other processes have added.
    ///
    /// # Errors
    /// Those of [`Ledger::open`].
    pub fn refresh(&mut self) -> Result<Vec<String>, LabError> {
        let lock = self.lock()?;
        let entries = read(&self.path)?;
        drop(lock);
        let added = entries.keys().filter(|name| !self.entries.contains_key(*name));
        let added = added.cloned().collect();
        self.entries = entries;
        Ok(added)
    }

    /// Adds an entry at the end of the file, and brings it to the disk.
    ///
    /// # Errors
    /// The file cannot be locked or written.
    pub fn add(&mut self, entry: LedgerEntry) -> Result<(), LabError> {
        let lock = self.lock()?;
        append_line(&self.path, &serde_json::to_vec(&entry)?)?;
        drop(lock);
        self.entries.insert(entry.name.clone(), entry);
        Ok(())
    }

    /// Locks the file against other processes while something is read or written.
    pub(crate) fn lock(&self) -> Result<Lock, LabError> {
        Ok(Lock::wait_beside(&self.path)?)
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, LedgerEntry>, LabError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(LabError::io("read", path)(error)),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut entries = BTreeMap::new();
    for (number, line) in whole.lines().enumerate() {
        let entry: LedgerEntry =
            serde_json::from_str(line).map_err(|error| LabError::Unusable {
                path: path.to_owned(),
                problem: format!("line {}: {error}", number + 1),
            })?;
        entries.insert(entry.name.clone(), entry);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> LedgerEntry {
        serde_json::from_value(serde_json::json!({
            "name": name, "backbone": "tiny", "routing": "prefix", "role": {"kind": "routing"},
            "recipe_sha256": "", "fingerprint": "", "data_sha256": "", "code": "", "seed": 1,
            "train_rows": 0, "rows": 0, "steps": 0, "tokens": 0, "flops": 0.0, "seconds": 0.0,
            "peak_memory_bytes": null, "parameters": 0, "trainable_parameters": 0, "dev": 0.5,
            "dev_step": 1, "test_accuracy": 0.5, "test_accuracy_by_task": {},
            "test_seconds": 0.0, "test_rows": 0,
        }))
        .unwrap()
    }

    #[test]
    fn a_ledger_hears_what_another_one_of_its_folder_adds() {
        let folder = tempfile::tempdir().unwrap();
        let [mut ours, mut theirs] = [(); 2].map(|()| Ledger::open(folder.path()).unwrap());
        ours.add(entry("a")).unwrap();
        theirs.add(entry("b")).unwrap();
        assert_eq!(ours.get("b"), None);
        assert_eq!(ours.refresh().unwrap(), ["b"]);
        assert_eq!(ours.get("b"), Some(&entry("b")));
        assert_eq!(ours.refresh().unwrap(), [""; 0]);

        // An incomplete line, as a killed process leaves it, is skipped and replaced by the next entry.
        let path = folder.path().join("ledger.jsonl");
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, whole + "{\"name\": \"half").unwrap();
        assert_eq!(ours.refresh().unwrap(), [""; 0]);
        ours.add(entry("c")).unwrap();
        assert_eq!(theirs.refresh().unwrap(), ["a", "c"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn lines_that_are_added_at_once_are_all_there() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let folder = folder.path();
                scope.spawn(move || {
                    let mut ledger = Ledger::open(folder).unwrap();
                    for run in 0..10 {
                        ledger.add(entry(&format!("{writer}-{run}"))).unwrap();
                    }
                });
            }
        });
        assert_eq!(Ledger::open(folder.path()).unwrap().entries.len(), 40);
    }
}
