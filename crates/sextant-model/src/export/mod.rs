//! Exporting a task of a bundle as a model that other programs run.
//!
//! The trunk, the task's private blocks and its head form one ordinary stack of layers, so that any task of
//! any routing is a plain sequence classifier. [`huggingface`] writes it as `transformers` would, and
//! [`onnx`] as an ONNX file; [`peft`] writes only the adapters and the head of a bundle with LoRA. Every
//! exported folder also holds the tokenizer, a Python file that encodes pairs as in training, and a model
//! card.

mod card;
mod huggingface;
pub(crate) mod onnx;
mod pair;
mod peft;

pub use huggingface::huggingface;
pub use onnx::{Numbers, Rounding, onnx};
pub use peft::peft;

use crate::bundle::Bundle;
use crate::{BackboneConfig, HeadKind, ModelError, ModelSpec, Values, dump, merge};
use sextant_core::Task;
use sextant_files::{Existing, FolderKind, replace_folder};
use std::collections::BTreeMap;
use std::path::Path;

/// One task of a bundle as a stack of layers: the trunk and the task's branch.
struct Stack<'a> {
    bundle: &'a Bundle,
    task: Task,
    /// The name of the task's branch in parameter paths.
    branch: &'static str,
    /// The backbone's configuration, with the number of blocks of this stack.
    backbone: BackboneConfig,
}

impl<'a> Stack<'a> {
    /// Finds the branch of the task. Fails for a task that the bundle does not have, and for heads that are
    /// not plain classifiers.
    fn new(bundle: &'a Bundle, task: Task) -> Result<Self, ModelError> {
        let spec = bundle.model.spec();
        let branch = spec.branch_of(task).ok_or_else(|| spec.unknown_task(task))?;
        if spec.head == HeadKind::Cumulative {
            return Err(ModelError::Export(
                "the bundle has ordinal heads, whose two thresholds no sequence-classification class knows; train with `loss.kind = \"cross_entropy\"` to export"
                    .into(),
            ));
        }
        let backbone = BackboneConfig { layers: spec.depth(), ..spec.backbone.clone() };
        Ok(Self { bundle, task, branch: spec.branch_names()[branch], backbone })
    }

    /// Whether a parameter belongs to this stack.
    fn passes(&self, name: &str) -> bool {
        let branch = name.strip_prefix("branches.").and_then(|rest| rest.split_once('.'));
        branch.is_none_or(|(found, _)| found == self.branch)
    }

    /// The values of all parameters by name, with adapters merged into dense weights.
    fn values(&self) -> Result<BTreeMap<String, Values>, ModelError> {
        Ok(dump(&merge(self.bundle.model.clone())?))
    }

    fn spec(&self) -> &ModelSpec {
        self.bundle.model.spec()
    }
}

/// The files of exports of every kind, so that an export that replaces one of another kind leaves no file of
/// it behind.
const NAMES: &[&str] = &[
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
    "config.json",
    "model.onnx",
    "model.safetensors",
    "sextant.json",
    "sextant_pair.json",
    "sextant_pair.py",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// Writes a folder with `fill`; `head` is the file by which a complete export is recognised.
fn write_folder(
    folder: &Path,
    existing: Existing,
    head: &'static str,
    fill: impl FnOnce(&Path) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    replace_folder(folder, existing, FolderKind { names: NAMES, head }, fill)
}

/// Writes a file of the folder.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(ModelError::io("write", &path))
}

/// Writes a JSON file of the folder.
fn write_json(folder: &Path, name: &str, json: &serde_json::Value) -> Result<(), ModelError> {
    let bytes = serde_json::to_vec_pretty(json)
        .map_err(|error| ModelError::Json { path: folder.join(name), reason: error.to_string() })?;
    write(folder, name, &bytes)
}
