//! Reading the weights of a Hugging Face folder: one safetensors file, several with an index, PyTorch's own
//! format, GGUF, or ONNX.

use super::wrappers::{is_buffer, unwrapped};
use crate::families::Format;
use crate::gguf::Gguf;
use crate::{Archive, ModelError, json};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The files of weights that a folder may hold, in the order of preference.
const FILES: [&str; 6] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "model.gguf",
    "model.onnx",
];

/// Opens the GGUF file of a folder; `None` if the folder's weights are in another format.
pub(super) fn gguf(folder: &Path) -> Result<Option<Gguf>, ModelError> {
    let path = locate(folder);
    if path.extension().is_some_and(|extension| extension == "gguf") {
        return Gguf::open(&path).map(Some);
    }
    Ok(None)
}

/// The index of a sharded checkpoint, which names the file of each tensor.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, PathBuf>,
}

/// The path of a folder's weights: the first of the known files that exists (safetensors, the index of their
/// shards, PyTorch's own format, GGUF, ONNX), or the path of `model.safetensors` if none does.
pub fn locate(folder: &Path) -> PathBuf {
    let found = FILES.iter().map(|name| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| folder.join(FILES[0]))
}

/// Opens all weights of a folder, in any of the formats that [`locate`] knows. Tensors have the names that
/// current checkpoints of the family use.
///
/// # Errors
/// The file, or a tensor in it, cannot be read; the message names it.
pub fn read(folder: &Path) -> Result<Archive, ModelError> {
    if let Some(file) = gguf(folder)? {
        let (_, dialect) = Format::of_gguf(&file)?;
        return Archive::of_gguf(file, dialect);
    }
    let path = locate(folder);
    if !path.exists() {
        return Err(ModelError::Weights {
            path: folder.to_owned(),
            problem: format!("has no weights: none of {}; {}", FILES.join(", "), found(folder)),
        });
    }
    let mut archive = Archive::empty(&path);
    if path.extension().is_some_and(|extension| extension == "onnx") {
        return super::onnx::read(&path);
    }
    if path.extension().is_some_and(|extension| extension == "json") {
        read_shards(&path, folder, &mut archive)?;
    } else {
        read_file(&path, &mut archive)?;
    }
    archive.rename(|name| Some(current_name(&unwrapped(name))))
}

/// A message about what a folder holds, for an error.
pub(super) fn found(folder: &Path) -> String {
    let Ok(entries) = folder.read_dir() else { return "it cannot be listed".to_owned() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() {
        return "it is empty".to_owned();
    }
    let more = names.len().saturating_sub(12);
    names.truncate(12);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("it holds {}{more}", names.join(", "))
}

/// The current name of a tensor: old checkpoints call a LayerNorm's scale and shift `gamma` and `beta`.
fn current_name(name: &str) -> String {
    for (old, new) in
        [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")]
    {
        if let Some(start) = name.strip_suffix(old) {
            return format!("{start}{new}");
        }
    }
    name.to_owned()
}

fn read_shards(index: &Path, folder: &Path, archive: &mut Archive) -> Result<(), ModelError> {
    let Index { weight_map } = json::read(index)?;
    let problem = |problem: String| Err(ModelError::Weights { path: index.to_owned(), problem });
    for shard in weight_map.values().collect::<BTreeSet<_>>() {
        if !matches!(shard.components().collect::<Vec<_>>()[..], [Component::Normal(_)]) {
            return problem(format!("names `{}`, which is not a file beside it", shard.display()));
        }
        let path = folder.join(shard);
        if !path.exists() {
            return problem(format!(
                "names `{}`, which is missing; copy or fetch every shard",
                shard.display()
            ));
        }
        read_file(&path, archive)?;
    }
    match weight_map.iter().find(|(name, _)| !is_buffer(name) && archive.shape(name).is_none()) {
        None => Ok(()),
        Some((name, shard)) => {
            problem(format!("tensor `{name}` is not in `{}` as the index says", shard.display()))
        }
    }
}

fn read_file(path: &Path, archive: &mut Archive) -> Result<(), ModelError> {
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return archive.join(Archive::read(path, is_buffer)?);
    }
    super::torch::read(path, archive)
}
