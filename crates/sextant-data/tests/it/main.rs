//! Tests of the crate's public interface, with files as input and output.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod batches;
mod card;
mod check;
mod dataset;
mod exchange;
mod import;
mod import_maps;
mod import_raters;
mod import_support;
mod parquet_types;
mod raters;
mod reading;
mod writing;

use std::path::PathBuf;
use tempfile::TempDir;

/// A temporary folder, which is removed when it is dropped, and the path of a file in it.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}
