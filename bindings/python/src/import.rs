//! Published rerankers, as bundles.

use crate::errors::{ModelError, raised};
use crate::interruptible;
use pyo3::prelude::*;
use sextant_files::Existing;
use sextant_hub::Store;
use sextant_model::Imported;
use std::ffi::OsString;
use std::path::PathBuf;

/// Writes the bundle of a published reranker, and returns the reranker's folder. `name` is that folder, or a name
/// that was fetched.
#[pyfunction]
#[pyo3(signature = (name, out, max_tokens=None))]
pub(crate) fn import_classifier(
    py: Python<'_>,
    name: &str,
    out: PathBuf,
    max_tokens: Option<usize>,
) -> PyResult<OsString> {
    let folder = Store::from_environment()
        .resolve(name)
        .map_err(|error| ModelError::new_err(error.to_string()))?;
    let provenance = serde_json::json!({ "imported_from": name });
    let written = interruptible::run_silently(py, || {
        Imported::classifier(&folder)?.save(&out, Existing::Refuse, max_tokens, provenance)
    })?;
    written.map_err(|error| raised(&error))?;
    Ok(folder.into_os_string())
}
