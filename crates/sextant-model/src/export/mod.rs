//! A task of a bundle as a model that other programs run.
//!
//! Trunk, the task's private blocks and its head are one ordinary stack, so that any task of any
//! routing is a plain sequence classifier. [`huggingface`] writes it as `transformers` would,
//! [`onnx`] as an ONNX file; [`peft`] writes the adapters of a bundle with LoRA alone. All folders hold the tokenizer, a Python file that writes pairs as training did, and a model card.

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
use std::collections::BTreeMap;
use std::path::Path;

/// One task's path through a bundle.
struct Stack<'a> {
    bundle: &'a Bundle,
    task: Task,
    /// The branch's name in parameter paths.
    branch: &'static str,
    /// The backbone with as many layers as the path has.
    backbone: BackboneConfig,
}

impl<'a> Stack<'a> {
    /// Finds the path. Fails for a task that the bundle does not have, and for heads that are not
    /// plain classifiers.
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

    /// Whether a parameter is on the path.
    fn passes(&self, name: &str) -> bool {
        let branch = name.strip_prefix("branches.").and_then(|rest| rest.split_once('.'));
        branch.is_none_or(|(found, _)| found == self.branch)
    }

    /// All dense values by our names, adapters merged.
    fn values(&self) -> Result<BTreeMap<String, Values>, ModelError> {
        Ok(dump(&merge(self.bundle.model.clone())?))
    }

    fn spec(&self) -> &ModelSpec {
        self.bundle.model.spec()
    }
}

/// Writes a folder with `fill`, in place of an earlier export there; any other folder is refused.
fn write_folder(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let used = folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    let card = std::fs::read_to_string(folder.join(card::FILE)).unwrap_or_default();
    if used && !card.contains(card::MARK) {
        return Err(ModelError::Export(format!(
            "{} exists and is not an earlier export; choose another place or remove it",
            folder.display()
        )));
    }
    sextant_files::replace_folder(folder, fill)
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
