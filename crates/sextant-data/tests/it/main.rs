//! Files in, files out: what users see of the crate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod batches;
mod card;
mod check;
mod dataset;
mod parquet_types;
mod reading;
mod writing;

use std::path::PathBuf;
use tempfile::TempDir;

/// A folder that goes away with the test, and a file in it.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}
