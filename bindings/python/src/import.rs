//! Published rerankers, as bundles.

use crate::errors::{ModelError, raised};
use crate::interruptible;
use pyo3::prelude::*;
use sextant_files::Existing;
use sextant_hub::Store;
use sextant_model::Imported;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The most tokens that the tokenizer of a folder states, as sentence-transformers reads it. Tokenizers without a
/// bound state a number beyond all memory, which no model has positions for.
fn stated_length(folder: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(folder.join("tokenizer_config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_str(&text).ok()?;
    config.get("model_max_length")?.as_f64().map(|length| length as usize)
}

/// Writes the bundle of a published reranker. Returns the reranker's folder, and its labels in its own numbering, the
/// lowest grade first. `name` is that folder, or a name that was fetched.
#[pyfunction]
#[pyo3(signature = (name, out, max_tokens=None))]
pub(crate) fn import_classifier(
    py: Python<'_>,
    name: &str,
    out: PathBuf,
    max_tokens: Option<usize>,
) -> PyResult<(OsString, Vec<usize>)> {
    let folder = Store::from_environment()
        .resolve(name)
        .map_err(|error| ModelError::new_err(error.to_string()))?;
    let provenance = serde_json::json!({ "imported_from": name });
    let stated = stated_length(&folder);
    let written = interruptible::run_silently(py, || {
        let imported = Imported::classifier(&folder)?;
        let stated = stated.map(|stated| stated.min(imported.max_positions()));
        let labels = imported.labels().to_vec();
        imported.save(&out, Existing::Refuse, max_tokens.or(stated), provenance)?;
        Ok(labels)
    })?;
    let labels = written.map_err(|error: sextant_model::ModelError| raised(&error))?;
    Ok((folder.into_os_string(), labels))
}
