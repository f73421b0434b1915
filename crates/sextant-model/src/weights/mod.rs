//! Tensors in files, by name.
//!
//! Whatever the format of the file, every number is checked when it is read: a value that is infinite or
//! not a number is an error that names the tensor and the index of the value.

mod numbers;
mod open;
mod write;

pub(crate) use numbers::{first_not_finite, first_not_finite_f16, index};
pub use write::Writable;

use crate::ModelError;
use crate::gguf::{self, BlockType, Dialect, Gguf, Undo};
use crate::source_file::{PIECE, SourceFile};
use safetensors::tensor::Dtype;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The tensors of one or several files, read as `f32`. The files stay open, and a tensor is read when it is
/// asked for, unless the archive was opened by [`Archive::read_whole`].
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    files: Vec<SourceFile>,
    tensors: BTreeMap<String, TensorEntry>,
}

/// One tensor of an archive.
#[derive(Debug)]
struct TensorEntry {
    shape: Vec<usize>,
    encoding: Encoding,
    location: Location,
    /// The tensor's name in the file, if it differs from its name in the archive.
    original: Option<String>,
}

/// How a tensor's numbers are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// One number after the other, each of this type.
    Plain(Dtype),
    /// In blocks of a GGUF file, and changed from the original checkpoint in a way that reading undoes.
    Gguf(BlockType, Undo),
}

/// Where a tensor's contents are.
#[derive(Debug)]
enum Location {
    /// In one of the archive's files: its index, the first byte, and the length in bytes.
    File { file: usize, start: u64, length: u64 },
    /// In a PyTorch file, from which `pytorch-reader` reads the tensor when it is asked for.
    Torch(pytorch_reader::Tensor),
    /// In memory, encoded as in the file.
    Bytes(Vec<u8>),
    /// In memory, as numbers that were checked to be finite.
    Numbers(Vec<f32>),
}

/// How many numbers are read at a time.
const COUNT: usize = PIECE / size_of::<f32>();

impl Archive {
    /// An archive without tensors, to which tensors are added. Errors name `path` as the place of the
    /// tensors: a file, or the index that lists several.
    pub(crate) fn empty(path: &Path) -> Self {
        Self { path: path.to_owned(), files: Vec::new(), tensors: BTreeMap::new() }
    }

    fn insert(
        &mut self,
        name: String,
        shape: Vec<usize>,
        encoding: Encoding,
        location: Location,
    ) -> Result<(), ModelError> {
        self.insert_entry(name, TensorEntry { shape, encoding, location, original: None })
    }

    /// Adds a tensor. A second tensor of the same name is an error, because it would be unclear which of the
    /// two is meant.
    fn insert_entry(&mut self, name: String, entry: TensorEntry) -> Result<(), ModelError> {
        if let Some(known) = self.tensors.get(&name) {
            let called =
                |entry: &TensorEntry| entry.original.clone().unwrap_or_else(|| name.clone());
            return Err(self.problem(format!(
                "tensor `{name}` is there twice, as `{}` and as `{}`; keep one of them",
                called(known),
                called(&entry)
            )));
        }
        self.tensors.insert(name, entry);
        Ok(())
    }

    /// Adds the tensors of another archive.
    pub(crate) fn join(&mut self, other: Self) -> Result<(), ModelError> {
        let first = self.files.len();
        self.files.extend(other.files);
        for (name, mut entry) in other.tensors {
            if let Location::File { file, .. } = &mut entry.location {
                *file += first;
            }
            self.insert_entry(name, entry)?;
        }
        Ok(())
    }

    /// Adds a tensor whose `f32` numbers are in memory, little-endian.
    pub(crate) fn add(
        &mut self,
        name: String,
        shape: Vec<usize>,
        bytes: Vec<u8>,
    ) -> Result<(), ModelError> {
        self.insert(name, shape, Encoding::Plain(Dtype::F32), Location::Bytes(bytes))
    }

    /// Adds a tensor of a PyTorch file. Its type must be one that [`Archive::read`] accepts.
    pub(crate) fn add_torch(
        &mut self,
        name: String,
        dtype: Dtype,
        tensor: pytorch_reader::Tensor,
    ) -> Result<(), ModelError> {
        self.insert(name, tensor.shape().to_vec(), Encoding::Plain(dtype), Location::Torch(tensor))
    }

    /// Adds a file from which tensors were added, so that it is hashed with the archive's other files.
    pub(crate) fn add_file(&mut self, file: SourceFile) {
        self.files.push(file);
    }

    /// The tensors of a GGUF file, by the names of Hugging Face checkpoints.
    pub(crate) fn of_gguf(file: Gguf, dialect: Dialect) -> Result<Self, ModelError> {
        let mut archive = Self::empty(file.path());
        for (name, tensor) in &file.tensors {
            let Some((new, undo)) = gguf::name(&file, dialect, name) else {
                return Err(
                    archive.problem(format!("tensor `{name}` is not part of this architecture"))
                );
            };
            undo.check(&tensor.shape)
                .map_err(|reason| archive.problem(format!("tensor `{name}` {reason}")))?;
            let entry = TensorEntry {
                shape: tensor.shape.clone(),
                encoding: Encoding::Gguf(tensor.kind, undo),
                location: Location::File { file: 0, start: tensor.start, length: tensor.length },
                original: Some(name.clone()),
            };
            archive.insert_entry(new, entry)?;
        }
        archive.files.push(file.file);
        Ok(archive)
    }

    /// A tensor's type; `None` if the archive has no such tensor, or has it from a GGUF file.
    pub(crate) fn dtype(&self, name: &str) -> Option<Dtype> {
        match self.tensors.get(name)?.encoding {
            Encoding::Plain(dtype) => Some(dtype),
            Encoding::Gguf(..) => None,
        }
    }

    /// Takes a tensor's bytes, as they are stored, out of an archive that was read whole; `None` for a
    /// tensor that is absent or whose type is `f32`.
    pub(crate) fn take_bytes(&mut self, name: &str) -> Option<Vec<u8>> {
        match self.tensors.remove(name)?.location {
            Location::Bytes(bytes) => Some(bytes),
            Location::File { .. } | Location::Torch(_) | Location::Numbers(_) => None,
        }
    }

    /// Renames every tensor by `name`, and leaves out those for which `name` returns `None`.
    pub(crate) fn rename(self, name: impl Fn(&str) -> Option<String>) -> Result<Self, ModelError> {
        let mut archive = Self { tensors: BTreeMap::new(), ..self };
        for (old, mut entry) in self.tensors {
            let Some(new) = name(&old) else { continue };
            if new != old && entry.original.is_none() {
                entry.original = Some(old);
            }
            archive.insert_entry(new, entry)?;
        }
        Ok(archive)
    }

    /// A tensor's shape, if the archive has the tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|entry| entry.shape.as_slice())
    }

    /// The tensors' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor's name in the file.
    pub(crate) fn original<'a>(&'a self, name: &'a str) -> &'a str {
        self.tensors.get(name).and_then(|entry| entry.original.as_deref()).unwrap_or(name)
    }

    /// How many numbers all tensors have together.
    pub(crate) fn count(&self) -> u128 {
        let count = |shape: &Vec<usize>| shape.iter().map(|&size| size as u128).product::<u128>();
        self.tensors.values().map(|entry| count(&entry.shape)).sum()
    }

    /// Whether every tensor is still in its file, so that the archive takes no memory.
    pub(crate) fn is_light(&self) -> bool {
        let held = |entry: &TensorEntry| {
            matches!(entry.location, Location::Bytes(_) | Location::Numbers(_))
        };
        !self.tensors.values().any(held)
    }

    /// The values of a tensor, which must have this shape. It is an error, which names the tensor, if it is
    /// missing, has another shape, or holds a value that is infinite or not a number.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Cow<'_, [f32]>, ModelError> {
        let entry = self.find(name, shape)?;
        let dtype = match entry.encoding {
            Encoding::Plain(Dtype::U8) => {
                return Err(self.problem(format!("tensor `{name}` holds bytes; expected numbers")));
            }
            Encoding::Plain(dtype) => dtype,
            Encoding::Gguf(kind, undo) => {
                let width = if shape.len() > 1 { shape[shape.len() - 1] } else { 1 };
                let values = undo.apply(kind.decode(&self.bytes_of(entry)?), width);
                return self.finite(name, shape, values).map(Cow::Owned);
            }
        };
        match &entry.location {
            Location::Numbers(numbers) => Ok(numbers.into()),
            Location::File { file, start, length } if dtype == Dtype::F32 => {
                let file = &self.files[*file];
                self.floats_at(file, *start, *length, |_| (), name, shape).map(Cow::Owned)
            }
            _ => {
                let values = numbers::floats(dtype, &self.bytes_of(entry)?);
                self.finite(name, shape, values).map(Cow::Owned)
            }
        }
    }

    /// [`Archive::get`], which also removes the tensor from the archive.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let values = match self.find(name, shape)?.location {
            Location::Numbers(_) => None,
            _ => Some(self.get(name, shape)?.into_owned()),
        };
        match (values, self.tensors.remove(name).map(|entry| entry.location)) {
            (Some(values), _) | (None, Some(Location::Numbers(values))) => Ok(values),
            (None, _) => Err(self.problem(format!("tensor `{name}` {shape:?} is missing"))),
        }
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<&TensorEntry, ModelError> {
        let entry = self
            .tensors
            .get(name)
            .ok_or_else(|| self.problem(format!("tensor `{name}` {shape:?} is missing; was the file saved whole, and is it of this model?")))?;
        if entry.shape == shape {
            return Ok(entry);
        }
        Err(self.problem(format!(
            "tensor `{name}` has shape {:?}; the model needs {shape:?}",
            entry.shape
        )))
    }

    /// The values of a tensor of any shape, as one vector.
    pub fn vector(&self, name: &str) -> Result<Cow<'_, [f32]>, ModelError> {
        match self.tensors.get(name) {
            Some(entry) => self.get(name, &[entry.shape.iter().product()]),
            None => self.get(name, &[]),
        }
    }

    /// The bytes of a tensor of type `u8`, which must have this shape.
    pub fn bytes(&self, name: &str, shape: &[usize]) -> Result<Cow<'_, [u8]>, ModelError> {
        let entry = self.find(name, shape)?;
        match entry.encoding {
            Encoding::Plain(Dtype::U8) => self.bytes_of(entry),
            _ => Err(self.problem(format!("tensor `{name}` holds numbers; expected bytes"))),
        }
    }

    fn bytes_of<'a>(&'a self, entry: &'a TensorEntry) -> Result<Cow<'a, [u8]>, ModelError> {
        match &entry.location {
            Location::File { file, start, length } => {
                self.files[*file].bytes(*start, *length).map(Cow::Owned)
            }
            Location::Torch(tensor) => {
                tensor.read().map(Cow::Owned).map_err(ModelError::io("read", &self.path))
            }
            Location::Bytes(bytes) => Ok(bytes.into()),
            Location::Numbers(_) => Err(self.problem("holds numbers, not bytes".into())),
        }
    }

    /// Reads `f32` numbers directly into the vector that is returned. Each piece is passed to `seen` and
    /// checked while it is in the processor's cache.
    fn floats_at(
        &self,
        file: &SourceFile,
        start: u64,
        length: u64,
        mut seen: impl FnMut(&[u8]),
        name: &str,
        shape: &[usize],
    ) -> Result<Vec<f32>, ModelError> {
        if !cfg!(target_endian = "little") {
            let bytes = file.bytes(start, length)?;
            seen(&bytes);
            return self.finite(name, shape, numbers::floats(Dtype::F32, &bytes));
        }
        // The header was checked against the length of the file, which bounds this allocation.
        let mut values = vec![0f32; length as usize / size_of::<f32>()];
        for (i, piece) in values.chunks_mut(COUNT).enumerate() {
            let bytes = bytemuck::cast_slice_mut(piece);
            file.read(start + (i * PIECE) as u64, bytes)?;
            seen(bytes);
            if let Some(place) = first_not_finite(piece) {
                return Err(self.not_finite(name, shape, i * COUNT + place, piece[place]));
            }
        }
        Ok(values)
    }

    fn finite(
        &self,
        name: &str,
        shape: &[usize],
        values: Vec<f32>,
    ) -> Result<Vec<f32>, ModelError> {
        match first_not_finite(&values) {
            None => Ok(values),
            Some(place) => Err(self.not_finite(name, shape, place, values[place])),
        }
    }

    /// The error about a value that is infinite or not a number; `place` is its index in row-major order.
    pub(crate) fn not_finite(
        &self,
        name: &str,
        shape: &[usize],
        place: usize,
        value: f32,
    ) -> ModelError {
        self.problem(format!(
            "tensor `{}` holds {value} at {:?}, with which every answer would be wrong; take a checkpoint from before training diverged, or fetch the file again",
            self.original(name),
            index(place, shape)
        ))
    }

    /// The SHA-256 of each file, in hexadecimal, joined in the order of the files.
    pub(crate) fn sha256(&self) -> Result<String, ModelError> {
        self.files.iter().map(SourceFile::sha256).collect()
    }

    /// Fails if one of the files was changed since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), ModelError> {
        self.files.iter().try_for_each(SourceFile::check_unchanged)
    }

    /// An error about this archive, which names its path.
    pub fn problem(&self, problem: String) -> ModelError {
        ModelError::Weights { path: self.path.clone(), problem }
    }
}
