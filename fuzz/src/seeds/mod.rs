//! Inputs to begin with: made by the product's own writers, taken from the goldens of its tests, or
//! written down here.

pub(crate) mod imports;
pub(crate) mod judges;
pub(crate) mod models;
pub(crate) mod rows;
pub(crate) mod runs;
pub(crate) mod weights;

use std::path::Path;

/// A golden file of the model crate's tests.
pub(crate) fn golden(name: &str) -> Vec<u8> {
    let goldens = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/sextant-model/tests/goldens");
    let path = Path::new(goldens).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file of this name of every family of backbones.
pub(crate) fn of_families(name: &str) -> Vec<Vec<u8>> {
    [
        "bert",
        "deberta_v2",
        "distilbert",
        "electra",
        "gemma",
        "gemma2",
        "gemma3",
        "llama",
        "mistral",
        "modernbert",
        "qwen2",
        "qwen3",
        "roberta",
        "xlm_roberta",
    ]
    .map(|family| golden(&format!("families/{family}/{name}")))
    .to_vec()
}

/// A file of the repository.
pub(crate) fn of_repository(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
