//! The container: metadata by key, and where each tensor lies. Version 2 and 3, little-endian.

use super::blocks::BlockType;
use crate::ModelError;
use sextant_kernels::MappedFile;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

/// A tensor: its numbers are `shape`, row-major.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) kind: BlockType,
    pub(crate) start: usize,
    pub(crate) length: usize,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Gguf {
    path: PathBuf,
    pub(crate) file: MappedFile,
    metadata: BTreeMap<String, Value>,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

/// Reads on from a place in the file; an end too early is a problem in words.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, count: u64) -> Result<&[u8], String> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let part = self.bytes.get(self.at..self.at.saturating_add(count));
        let part = part.ok_or("it ends in the middle of its header")?;
        self.at += count;
        Ok(part)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.take(N as u64)?;
        bytes.try_into().map_err(|_| "it ends in the middle of its header".to_owned())
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.number()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.number()?))
    }

    /// A count of things of at least `least` bytes each, which the rest of the file can hold.
    fn count(&mut self, least: u64) -> Result<usize, String> {
        let count = self.u64()?;
        let left = (self.bytes.len() - self.at) as u64;
        if count > left / least {
            return Err(format!("its header counts {count} entries where {left} bytes are left"));
        }
        usize::try_from(count).map_err(|error| error.to_string())
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.u64()?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|error| error.to_string())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Integer(u8::from_le_bytes(self.number()?).into()),
            1 => Value::Integer(i8::from_le_bytes(self.number()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.number()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.number()?).into()),
            4 => Value::Integer(self.u32()?.into()),
            5 => Value::Integer(i32::from_le_bytes(self.number()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.number()?).into()),
            7 => Value::Bool(self.number::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 if depth < 4 => {
                let kind = self.u32()?;
                let count = self.count(1)?;
                let values: Result<_, _> =
                    (0..count).map(|_| self.value(kind, depth + 1)).collect();
                Value::List(values?)
            }
            10 => Value::Integer(self.u64()?.into()),
            11 => Value::Integer(i64::from_le_bytes(self.number()?).into()),
            12 => Value::Float(f64::from_le_bytes(self.number()?)),
            other => return Err(format!("a value of the unknown type {other}")),
        })
    }
}

impl Gguf {
    /// Opens a file and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let file = MappedFile::open(path).map_err(ModelError::io("read", path))?;
        let failed = |reason: String| ModelError::Weights {
            path: path.to_owned(),
            problem: format!("is not a whole GGUF file: {reason}; fetch or copy it again"),
        };
        let mut cursor = Cursor { bytes: &file, at: 0 };
        let (metadata, infos) = header(&mut cursor).map_err(failed)?;
        let alignment = match metadata.get("general.alignment") {
            Some(Value::Integer(n)) => usize::try_from(*n).ok().filter(|n| n.is_power_of_two()),
            _ => Some(32),
        };
        let alignment =
            alignment.ok_or_else(|| failed("its alignment is no power of two".into()))?;
        let data = cursor.at.next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for (name, shape, number, offset) in infos {
            let kind = BlockType::of(number).ok_or_else(|| ModelError::Weights {
                path: path.to_owned(),
                problem: format!(
                    "tensor `{name}` is of ggml type {number}; supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K: quantise the model to one of them"
                ),
            })?;
            let place = place(&shape, kind, data, offset, file.len());
            let (start, length) = place.ok_or_else(|| {
                failed(format!("tensor `{name}` {shape:?} does not fit into the file"))
            })?;
            tensors.insert(name, Tensor { shape, kind, start, length });
        }
        Ok(Self { path: path.to_owned(), file, metadata, tensors })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn wrong(&self, key: &str, needed: &str) -> ModelError {
        ModelError::Weights {
            path: self.path.clone(),
            problem: format!("its metadata has no {needed} `{key}`"),
        }
    }

    pub(crate) fn find(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, ModelError> {
        match self.find(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.wrong(key, "text")),
        }
    }

    pub(crate) fn integer(&self, key: &str) -> Result<usize, ModelError> {
        let found = match self.find(key) {
            Some(Value::Integer(n)) => usize::try_from(*n).ok(),
            _ => None,
        };
        found.ok_or_else(|| self.wrong(key, "number"))
    }

    pub(crate) fn float(&self, key: &str) -> Option<f64> {
        match self.find(key) {
            Some(Value::Float(x)) => Some(*x),
            Some(Value::Integer(n)) => Some(*n as f64),
            _ => None,
        }
    }

    pub(crate) fn list(&self, key: &str) -> Result<&[Value], ModelError> {
        match self.find(key) {
            Some(Value::List(list)) => Ok(list),
            _ => Err(self.wrong(key, "list")),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<&str>, ModelError> {
        let text = |value: &'_ Value| match value {
            Value::Text(_) => Ok(()),
            _ => Err(self.wrong(key, "list of texts")),
        };
        let list = self.list(key)?;
        list.iter().try_for_each(text)?;
        Ok(list
            .iter()
            .filter_map(|value| match value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect())
    }
}

/// A tensor's name, shape, type and offset.
type Info = (String, Vec<usize>, u32, u64);

fn header(cursor: &mut Cursor<'_>) -> Result<(BTreeMap<String, Value>, Vec<Info>), String> {
    if cursor.number::<4>()? != *b"GGUF" {
        return Err("it does not begin with `GGUF`".into());
    }
    let version = cursor.u32()?;
    if !(2..=3).contains(&version) {
        return Err(format!("it is of version {version}; versions 2 and 3 are read"));
    }
    let tensors = cursor.count(24)?;
    let entries = cursor.count(12)?;
    let mut metadata = BTreeMap::new();
    for _ in 0..entries {
        let key = cursor.text()?;
        let kind = cursor.u32()?;
        let value = cursor.value(kind, 0).map_err(|error| format!("`{key}`: {error}"))?;
        metadata.insert(key, value);
    }
    let mut infos = Vec::new();
    for _ in 0..tensors {
        let name = cursor.text()?;
        let dimensions = cursor.u32()?;
        if dimensions > 4 {
            return Err(format!("tensor `{name}` has {dimensions} dimensions"));
        }
        // the fastest dimension comes first
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.insert(0, usize::try_from(cursor.u64()?).map_err(|error| error.to_string())?);
        }
        let kind = cursor.u32()?;
        let offset = cursor.u64()?;
        infos.push((name, shape, kind, offset));
    }
    Ok((metadata, infos))
}

/// Start and length of a tensor's bytes; none where they cannot be.
fn place(
    shape: &[usize],
    kind: BlockType,
    data: usize,
    offset: u64,
    length: usize,
) -> Option<(usize, usize)> {
    let (numbers, size) = kind.block();
    let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n))?;
    let rows_fit = shape.last().is_none_or(|last| last.is_multiple_of(numbers));
    let bytes = (count / numbers).checked_mul(size)?;
    let start = data.checked_add(usize::try_from(offset).ok()?)?;
    (rows_fit && start.checked_add(bytes)? <= length).then_some((start, bytes))
}
