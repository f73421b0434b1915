//! Safetensors files, opened or read whole.

use super::{Archive, Encoding, Location};
use crate::ModelError;
use crate::source_file::SourceFile;
use safetensors::tensor::{Dtype, Metadata};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The longest header of a safetensors file that is read, as the safetensors crate has it.
const LONGEST_HEADER: u64 = 100_000_000;

/// The bytes of the header's length.
const WORD: u64 = size_of::<u64>() as u64;

/// Reads the header: the place where tensors begin, and what the file holds.
fn header(file: &SourceFile, mut seen: impl FnMut(&[u8])) -> Result<(u64, Metadata), ModelError> {
    let invalid =
        |reason: String| ModelError::NotSafetensors { path: file.path().to_owned(), reason };
    if file.len() < WORD {
        return Err(invalid("it has less than 8 bytes".into()));
    }
    let mut word = [0; WORD as usize];
    file.read(0, &mut word)?;
    seen(&word);
    let length = u64::from_le_bytes(word);
    if length > LONGEST_HEADER || length > file.len() - WORD {
        return Err(invalid("its header is longer than the file".into()));
    }
    let text = file.bytes(WORD, length)?;
    seen(&text);
    let metadata: Metadata =
        serde_json::from_slice(&text).map_err(|error| invalid(format!("its header: {error}")))?;
    let start = WORD + length;
    if start.checked_add(metadata.data_len() as u64) != Some(file.len()) {
        return Err(invalid("its tensors do not fill the file".into()));
    }
    Ok((start, metadata))
}

impl Archive {
    /// Opens a safetensors file. `f32`, `f16` and `bf16` tensors are known; others are refused unless `skip`
    /// says that their name does not matter.
    pub fn read(path: &Path, skip: impl Fn(&str) -> bool) -> Result<Self, ModelError> {
        let mut archive = Self::empty(path);
        let file = SourceFile::open(path)?;
        let (begin, metadata) = header(&file, |_| ())?;
        for (name, info) in metadata.tensors() {
            if skip(&name) {
                continue;
            }
            archive.check_type(&name, info.dtype)?;
            let (from, to) = info.data_offsets;
            let (start, length) = (begin + from as u64, (to - from) as u64);
            let location = Location::File { file: 0, start, length };
            archive.insert(name, info.shape.clone(), Encoding::Plain(info.dtype), location)?;
        }
        archive.files.push(file);
        Ok(archive)
    }

    /// Reads a safetensors file once, from its first byte to its last, and gives the SHA-256 of exactly the
    /// bytes that the tensors were made of. They stay in memory until [`Archive::take`] takes them.
    pub fn read_whole(path: &Path) -> Result<(Self, String), ModelError> {
        let mut archive = Self::empty(path);
        let file = SourceFile::open(path)?;
        let mut hasher = Sha256::new();
        let (begin, metadata) = header(&file, |bytes| hasher.update(bytes))?;
        // The header's tensors lie end to end, in this order.
        for name in metadata.offset_keys() {
            let Some(info) = metadata.info(&name) else { continue };
            archive.check_type(&name, info.dtype)?;
            let (from, to) = info.data_offsets;
            let (start, length) = (begin + from as u64, (to - from) as u64);
            let location = if info.dtype == Dtype::F32 {
                let seen = |bytes: &[u8]| hasher.update(bytes);
                let numbers = archive.floats_at(&file, start, length, seen, &name, &info.shape)?;
                Location::Numbers(numbers)
            } else {
                let bytes = file.bytes(start, length)?;
                hasher.update(&bytes);
                Location::Bytes(bytes)
            };
            archive.insert(name, info.shape.clone(), Encoding::Plain(info.dtype), location)?;
        }
        Ok((archive, sextant_files::hexadecimal(&hasher.finalize())))
    }

    fn check_type(&self, name: &str, dtype: Dtype) -> Result<(), ModelError> {
        // bytes are for those who know what they stand for
        if matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::U8) {
            return Ok(());
        }
        Err(self
            .problem(format!("tensor `{name}` is of type {dtype:?}; expected F32, F16 or BF16")))
    }
}
