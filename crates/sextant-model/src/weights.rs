//! Safetensors in and out.

use crate::backbone::gguf::{self, BlockType, Gguf, Undo};
use crate::{ModelError, Values};
use half::{bf16, f16};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sextant_kernels::MappedFile;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A safetensors file: tensors by name, read as `f32`. The file is mapped, not read: `f32` tensors
/// are used where they lie, others are converted each time they are asked for.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    files: Vec<MappedFile>,
    tensors: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    shape: Vec<usize>,
    kind: Kind,
    place: Place,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain(Dtype),
    /// In blocks of a GGUF file, after something that is to be undone.
    Gguf(BlockType, Undo),
}

#[derive(Debug)]
enum Place {
    /// In a file, by number.
    File(usize, Range<usize>),
    Memory(Vec<u8>),
}

impl Archive {
    /// Opens a file. `f32`, `f16` and `bf16` tensors are known; others are refused unless `skip` says
    /// that their name does not matter.
    pub fn read(path: &Path, skip: impl Fn(&str) -> bool) -> Result<Self, ModelError> {
        let file = MappedFile::open(path).map_err(ModelError::io("read", path))?;
        let invalid = |error: SafeTensorError| ModelError::NotSafetensors {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let (header, metadata) = SafeTensors::read_metadata(&file).map_err(invalid)?;
        // checks that the tensors fill the file
        SafeTensors::deserialize(&file).map_err(invalid)?;
        let start = header + size_of::<u64>();
        let mut tensors = BTreeMap::new();
        for (name, info) in metadata.tensors() {
            if skip(&name) {
                continue;
            }
            // bytes are for those who know what they stand for
            if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::U8) {
                return Err(ModelError::Weights {
                    path: path.to_owned(),
                    problem: format!(
                        "tensor `{name}` is of type {:?}; expected F32, F16 or BF16",
                        info.dtype
                    ),
                });
            }
            let (from, to) = info.data_offsets;
            let entry = Entry {
                shape: info.shape.clone(),
                kind: Kind::Plain(info.dtype),
                place: Place::File(0, start + from..start + to),
            };
            tensors.insert(name, entry);
        }
        Ok(Self { path: path.to_owned(), files: vec![file], tensors })
    }

    /// An archive without tensors, to be filled from files that `path` lists.
    pub(crate) fn empty(path: &Path) -> Self {
        Self { path: path.to_owned(), files: Vec::new(), tensors: BTreeMap::new() }
    }

    /// Adds the tensors of another archive.
    pub(crate) fn join(&mut self, other: Self) {
        let first = self.files.len();
        self.files.extend(other.files);
        let tensors = other.tensors.into_iter();
        self.tensors.extend(tensors.map(|(name, mut entry)| {
            if let Place::File(file, _) = &mut entry.place {
                *file += first;
            }
            (name, entry)
        }));
    }

    /// Adds a tensor that was read in another way, of a type that [`Archive::read`] lets pass.
    pub(crate) fn add(&mut self, name: String, shape: Vec<usize>, dtype: Dtype, bytes: Vec<u8>) {
        let entry = Entry { shape, kind: Kind::Plain(dtype), place: Place::Memory(bytes) };
        self.tensors.insert(name, entry);
    }

    /// The tensors of a GGUF file, by the names of Hugging Face checkpoints.
    pub(crate) fn of_gguf(file: Gguf) -> Result<Self, ModelError> {
        let mut archive = Self::empty(file.path());
        for (name, tensor) in &file.tensors {
            let Some((new, undo)) = gguf::name(&file, name) else {
                return Err(
                    archive.problem(format!("tensor `{name}` is not part of this architecture"))
                );
            };
            let place = Place::File(0, tensor.start..tensor.start + tensor.length);
            let kind = Kind::Gguf(tensor.kind, undo);
            archive.tensors.insert(new, Entry { shape: tensor.shape.clone(), kind, place });
        }
        archive.files.push(file.file);
        Ok(archive)
    }

    /// A tensor's type, if it is there.
    pub(crate) fn dtype(&self, name: &str) -> Option<Dtype> {
        match self.tensors.get(name)?.kind {
            Kind::Plain(dtype) => Some(dtype),
            Kind::Gguf(..) => None,
        }
    }

    /// A tensor's bytes as they are stored.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.tensors.get(name).map(|entry| self.bytes_of(entry))
    }

    fn bytes_of<'a>(&'a self, entry: &'a Entry) -> &'a [u8] {
        match &entry.place {
            Place::File(file, range) => &self.files[*file][range.clone()],
            Place::Memory(bytes) => bytes,
        }
    }

    /// Gives every tensor the name that `name` makes of its own.
    pub(crate) fn rename(self, name: impl Fn(String) -> String) -> Self {
        let tensors = self.tensors.into_iter().map(|(old, entry)| (name(old), entry)).collect();
        Self { tensors, ..self }
    }

    /// A tensor's shape, if it is there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|entry| entry.shape.as_slice())
    }

    /// The tensors' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor of this shape; an error that names it if it is missing or of another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Cow<'_, [f32]>, ModelError> {
        let entry = self
            .tensors
            .get(name)
            .ok_or_else(|| self.problem(format!("tensor `{name}` {shape:?} is missing")))?;
        if entry.shape != shape {
            return Err(self.problem(format!(
                "tensor `{name}` has shape {:?}; the model needs {shape:?}",
                entry.shape
            )));
        }
        let bytes = self.bytes_of(entry);
        match entry.kind {
            Kind::Plain(Dtype::U8) => {
                Err(self.problem(format!("tensor `{name}` holds bytes; expected numbers")))
            }
            Kind::Plain(dtype) => match bytemuck::try_cast_slice(bytes) {
                Ok(values) if dtype == Dtype::F32 && cfg!(target_endian = "little") => {
                    Ok(values.into())
                }
                _ => Ok(floats(dtype, bytes).into()),
            },
            Kind::Gguf(kind, undo) => {
                let width = if shape.len() > 1 { shape[shape.len() - 1] } else { 1 };
                Ok(undo.apply(kind.decode(bytes), width).into())
            }
        }
    }

    /// A vector of any length.
    pub fn vector(&self, name: &str) -> Result<Cow<'_, [f32]>, ModelError> {
        match self.tensors.get(name) {
            Some(entry) => self.get(name, &[entry.shape.iter().product()]),
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

/// The numbers of a tensor of a type that [`Archive::read`] lets pass.
fn floats(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    let words = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    match dtype {
        Dtype::F16 => words.map(|bits| f16::from_bits(bits).to_f32()).collect(),
        Dtype::BF16 => words.map(|bits| bf16::from_bits(bits).to_f32()).collect(),
        _ => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
    }
}
