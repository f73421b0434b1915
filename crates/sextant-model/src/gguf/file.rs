//! The GGUF container: metadata by key, and where each tensor lies. Versions 2 and 3 are read, little-endian.

use super::blocks::BlockType;
use crate::ModelError;
use crate::source_file::SourceFile;
use std::collections::BTreeMap;
use std::io::Read;
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

/// Where a tensor's bytes are in the file, and how to read them: its numbers have this shape, row-major.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) kind: BlockType,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Gguf {
    path: PathBuf,
    pub(crate) file: SourceFile,
    metadata: BTreeMap<String, Value>,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

/// The most values that the metadata may have, including those in lists: several times as many as the largest
/// vocabulary needs. The bound is needed because a value of one byte in the file takes more in memory.
const MOST_VALUES: usize = 1 << 22;

/// Reads the file's header from front to back. Errors are messages without the file's name.
struct Cursor<R> {
    reader: R,
    at: u64,
    length: u64,
    values: usize,
}

impl<R: Read> Cursor<R> {
    fn left(&self) -> u64 {
        self.length - self.at
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        const EARLY: &str = "it ends in the middle of its header";
        if bytes.len() as u64 > self.left() {
            return Err(EARLY.to_owned());
        }
        self.reader.read_exact(bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => EARLY.to_owned(),
            _ => error.to_string(),
        })?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.number()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.number()?))
    }

    /// Reads a count of items. It is an error if the rest of the file is too short for that many items of at
    /// least `least` bytes each.
    fn count(&mut self, least: u64) -> Result<usize, String> {
        let count = self.u64()?;
        let left = self.left();
        if count > left / least {
            return Err(format!("its header counts {count} entries where {left} bytes are left"));
        }
        usize::try_from(count).map_err(|error| error.to_string())
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.count(1)?;
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, String> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(format!("the metadata have more than {MOST_VALUES} values"));
        }
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
                let count = self.count(1)?.min(MOST_VALUES + 1);
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
    /// Opens a GGUF file and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let file = SourceFile::open(path)?;
        let failed = |reason: String| ModelError::Weights {
            path: path.to_owned(),
            problem: format!("is not a whole GGUF file: {reason}; fetch or copy it again"),
        };
        let length = file.len();
        let mut cursor = Cursor { reader: file.reader(0)?, at: 0, length, values: 0 };
        let (metadata, infos) = header(&mut cursor).map_err(failed)?;
        let end = cursor.at;
        drop(cursor);
        let alignment = match metadata.get("general.alignment") {
            Some(Value::Integer(n)) => u64::try_from(*n).ok().filter(|n| n.is_power_of_two()),
            _ => Some(32),
        };
        let data = alignment.and_then(|alignment| end.checked_next_multiple_of(alignment));
        let data = data.ok_or_else(|| failed("its alignment is no power of two".into()))?;
        let mut tensors = BTreeMap::new();
        for (name, shape, number, offset) in infos {
            let kind = BlockType::of(number).ok_or_else(|| ModelError::Weights {
                path: path.to_owned(),
                problem: format!(
                    "tensor `{name}` is of ggml type {number}; supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K: quantise the model to one of them"
                ),
            })?;
            let place = place(&shape, kind, data, offset, length);
            let (start, length) = place.ok_or_else(|| {
                failed(format!("tensor `{name}` {shape:?} does not fit into the file"))
            })?;
            let tensor = Tensor { shape, kind, start, length };
            if let Some(twice) = tensors.insert(name, tensor) {
                return Err(failed(format!("a tensor of {:?} is there twice", twice.shape)));
            }
        }
        Ok(Self { path: path.to_owned(), file, metadata, tensors })
    }

    /// The file's path.
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

    /// A number of the metadata, if the key is there. A number that is infinite or not a number is an error.
    pub(crate) fn float(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.find(key) {
            Some(Value::Float(x)) if x.is_finite() => Ok(Some(*x)),
            Some(Value::Integer(n)) => Ok(Some(*n as f64)),
            Some(_) => Err(self.wrong(key, "finite number")),
            None => Ok(None),
        }
    }

    pub(crate) fn list(&self, key: &str) -> Result<&[Value], ModelError> {
        match self.find(key) {
            Some(Value::List(list)) => Ok(list),
            _ => Err(self.wrong(key, "list")),
        }
    }

    /// A list of texts of the metadata.
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

fn header<R: Read>(cursor: &mut Cursor<R>) -> Result<(BTreeMap<String, Value>, Vec<Info>), String> {
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
        if metadata.contains_key(&key) {
            return Err(format!("`{key}` is there twice"));
        }
        metadata.insert(key, value);
    }
    let mut infos = Vec::new();
    for _ in 0..tensors {
        let name = cursor.text()?;
        let dimensions = cursor.u32()?;
        if dimensions > 4 {
            return Err(format!("tensor `{name}` has {dimensions} dimensions"));
        }
        // GGUF lists the dimension that varies fastest first; `shape` has it last.
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

/// The start and the length in bytes of a tensor; `None` if the tensor does not fit into the file or its rows
/// do not consist of whole blocks. `data` is where tensors begin in the file, and `offset` is counted from
/// there.
fn place(
    shape: &[usize],
    kind: BlockType,
    data: u64,
    offset: u64,
    length: u64,
) -> Option<(u64, u64)> {
    let (numbers, size) = kind.block();
    let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n))?;
    let rows_fit = shape.last().is_none_or(|last| last.is_multiple_of(numbers));
    let bytes = (count / numbers).checked_mul(size)? as u64;
    let start = data.checked_add(offset)?;
    (rows_fit && start.checked_add(bytes)? <= length).then_some((start, bytes))
}
