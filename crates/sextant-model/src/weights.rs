//! Safetensors in and out.

use crate::{ModelError, Values};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// A safetensors file in memory: tensors by name, read as `f32`.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    tensors: BTreeMap<String, Values>,
}

impl Archive {
    /// Reads a whole file. `f32`, `f16` and `bf16` tensors are kept as `f32`; others are refused
    /// unless `skip` says that their name does not matter.
    pub fn read(path: &Path, skip: impl Fn(&str) -> bool) -> Result<Self, ModelError> {
        let bytes = std::fs::read(path).map_err(ModelError::io("read", path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| {
            ModelError::NotSafetensors { path: path.to_owned(), reason: error.to_string() }
        })?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if skip(name) {
                continue;
            }
            let data = decode(view.dtype(), view.data()).ok_or_else(|| ModelError::Weights {
                path: path.to_owned(),
                problem: format!(
                    "tensor `{name}` is of type {:?}; expected F32, F16 or BF16",
                    view.dtype()
                ),
            })?;
            tensors.insert(name.to_owned(), Values { shape: view.shape().to_vec(), data });
        }
        Ok(Self { path: path.to_owned(), tensors })
    }

    /// An archive of tensors that were read from `path` in another way.
    pub(crate) fn of(path: &Path, tensors: BTreeMap<String, Values>) -> Self {
        Self { path: path.to_owned(), tensors }
    }

    /// The tensors.
    pub(crate) fn into_tensors(self) -> BTreeMap<String, Values> {
        self.tensors
    }

    /// A tensor's shape, if it is there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|values| values.shape.as_slice())
    }

    /// The tensors' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor of this shape; an error that names it if it is missing or of another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], ModelError> {
        let values = self
            .tensors
            .get(name)
            .ok_or_else(|| self.problem(format!("tensor `{name}` {shape:?} is missing")))?;
        if values.shape != shape {
            return Err(self.problem(format!(
                "tensor `{name}` has shape {:?}; the model needs {shape:?}",
                values.shape
            )));
        }
        Ok(&values.data)
    }

    /// A vector of any length.
    pub fn vector(&self, name: &str) -> Result<&[f32], ModelError> {
        match self.tensors.get(name) {
            Some(values) => self.get(name, &[values.data.len()]),
            None => self.get(name, &[]),
        }
    }

    /// An error about this file.
    pub fn problem(&self, problem: String) -> ModelError {
        ModelError::Weights { path: self.path.clone(), problem }
    }

    /// Writes tensors as `f32` safetensors, straight to `path`: the caller writes into a folder that is
    /// renamed when whole.
    pub fn write(path: &Path, tensors: &BTreeMap<String, Values>) -> Result<(), ModelError> {
        Self::write_with(path, tensors, None)
    }

    /// [`Archive::write`] with the mark by which `transformers` knows PyTorch's layouts.
    pub(crate) fn write_for_torch(
        path: &Path,
        tensors: &BTreeMap<String, Values>,
    ) -> Result<(), ModelError> {
        let mark = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        Self::write_with(path, tensors, Some(mark))
    }

    fn write_with(
        path: &Path,
        tensors: &BTreeMap<String, Values>,
        metadata: Option<HashMap<String, String>>,
    ) -> Result<(), ModelError> {
        let failed = |reason: String| ModelError::Io {
            action: "write",
            path: path.to_owned(),
            source: std::io::Error::other(reason),
        };
        let bytes: Vec<(&String, &Values, Vec<u8>)> = tensors
            .iter()
            .map(|(name, values)| {
                (name, values, values.data.iter().flat_map(|x| x.to_le_bytes()).collect())
            })
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, values, bytes) in &bytes {
            let view = TensorView::new(Dtype::F32, values.shape.clone(), bytes)
                .map_err(|error| failed(format!("tensor `{name}`: {error}")))?;
            views.push((name.as_str(), view));
        }
        let whole =
            safetensors::serialize(views, metadata).map_err(|error| failed(error.to_string()))?;
        std::fs::write(path, whole).map_err(ModelError::io("write", path))
    }
}

/// Bytes as numbers; none for a type that is not `f32`, `f16` or `bf16`.
pub(crate) fn decode(kind: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let words = || bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    Some(match kind {
        Dtype::F32 => {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        Dtype::F16 => words().map(|bits| f16::from_bits(bits).to_f32()).collect(),
        Dtype::BF16 => words().map(|bits| bf16::from_bits(bits).to_f32()).collect(),
        _ => return None,
    })
}
