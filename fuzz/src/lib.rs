//! Entry points that give foreign bytes to each reader of Sextant.
//!
//! A [`Target`] takes any bytes and must return: no panic, no abort, no endless loop, no allocation out
//! of proportion to the bytes. An error is a fine answer. Two programs call the targets:
//! `sextant-fuzz-guided`, which is libFuzzer, guided by coverage (`cargo xtask fuzz`); and the test
//! `replay`, which runs stored findings, seeds and random changes of them in every `cargo test
//! --workspace`.

mod imports;
mod judges;
mod models;
mod mutate;
mod rows;
mod runs;
mod scratch;
mod seeds;
mod weights;

pub use mutate::mutated;
pub use scratch::Scratch;

use std::fmt::{Debug, Display};
use std::path::{Path, PathBuf};

/// One reader.
#[derive(Debug)]
pub struct Target {
    /// The reader's name on the command line, and that of its folder of findings.
    pub name: &'static str,
    /// Gives the reader bytes; files are written into the scratch folder. Returns whether the reader took
    /// them for what it reads.
    pub run: fn(&Scratch, &[u8]) -> bool,
    /// Inputs to begin with, most of which are valid. The first one is.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every reader of foreign bytes.
pub const TARGETS: &[Target] = &[
    Target { name: "separated", run: rows::separated, seeds: seeds::rows::separated },
    Target { name: "jsonl", run: rows::jsonl, seeds: seeds::rows::jsonl },
    Target { name: "parquet", run: rows::parquet, seeds: seeds::rows::parquet },
    Target { name: "judgements", run: imports::judgements, seeds: seeds::imports::judgements },
    Target { name: "map", run: imports::map, seeds: seeds::imports::map },
    Target { name: "safetensors", run: weights::safetensors, seeds: seeds::weights::safetensors },
    Target { name: "gguf", run: weights::gguf, seeds: seeds::weights::gguf },
    Target { name: "torch", run: weights::torch, seeds: seeds::weights::torch },
    Target { name: "pickle", run: weights::pickle, seeds: seeds::weights::pickle },
    Target { name: "onnx", run: weights::onnx, seeds: seeds::weights::onnx },
    Target { name: "index", run: weights::index, seeds: seeds::weights::index },
    Target { name: "tokenizer", run: models::tokenizer, seeds: seeds::models::tokenizer },
    Target { name: "config", run: models::config, seeds: seeds::models::config },
    Target { name: "adapter", run: models::adapter, seeds: seeds::models::adapter },
    Target { name: "bundle", run: models::bundle, seeds: seeds::models::bundle },
    Target { name: "ensemble", run: models::ensemble, seeds: seeds::models::ensemble },
    Target { name: "recipe", run: runs::recipe, seeds: seeds::runs::recipe },
    Target { name: "lab", run: runs::lab, seeds: seeds::runs::lab },
    Target { name: "ledger", run: runs::ledger, seeds: seeds::runs::ledger },
    Target { name: "checkpoint", run: runs::checkpoint, seeds: seeds::runs::checkpoint },
    Target { name: "prompt", run: judges::prompt, seeds: seeds::judges::prompt },
    Target { name: "answers", run: judges::answers, seeds: seeds::judges::answers },
    Target { name: "report", run: runs::report, seeds: seeds::runs::report },
];

/// Prints what a reader answered, and says whether it was a value.
pub(crate) fn is_read<T: Debug, E: Display>(answer: Result<T, E>) -> bool {
    match answer {
        Ok(value) => {
            drop(format!("{value:?}"));
            true
        }
        Err(error) => {
            drop(error.to_string());
            false
        }
    }
}

/// The target with this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The names of all targets, for messages.
pub fn names() -> String {
    TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}

impl Target {
    /// The folder of inputs that once did harm.
    pub fn findings(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("findings").join(self.name)
    }

    /// Writes the seeds into a folder, one file for each.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_seeds(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (number, seed) in (self.seeds)().into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
        Ok(())
    }
}
