//! Reading safetensors files: opening them, or reading them whole.

use super::{Archive, Encoding, Location};
use crate::ModelError;
use crate::source_file::SourceFile;
use safetensors::tensor::{Dtype, Metadata};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The longest header that is read, in bytes: the limit of the safetensors crate.
const LONGEST_HEADER: u64 = 100_000_000;

/// The number of bytes in which a file states the length of its header.
const WORD: u64 = size_of::<u64>() as u64;

/// Reads the header. Returns the offset in bytes at which tensors begin, and the description of the
/// tensors. All bytes that are read are passed to `seen`.
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
    /// Opens a safetensors file. Tensors for whose name `skip` returns `true` are left out. The others must
    /// be of type `f32`, `f16`, `bf16` or `u8`, of which [`Archive::get`] reads all but `u8`.
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

    /// Reads a safetensors file once, from its first byte to its last, and returns the SHA-256 of exactly
    /// the bytes from which the tensors were decoded. Tensors stay in memory until they are removed by
    /// [`Archive::take`].
    pub fn read_whole(path: &Path) -> Result<(Self, String), ModelError> {
        let mut archive = Self::empty(path);
        let file = SourceFile::open(path)?;
        let mut hasher = Sha256::new();
        let (begin, metadata) = header(&file, |bytes| hasher.update(bytes))?;
        // The tensors lie end to end in the file, in the order of their offsets.
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
        // Tensors of bytes (`u8`) hold quantised weights, which only `take_bytes` returns.
        if matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::U8) {
            return Ok(());
        }
        Err(self
            .problem(format!("tensor `{name}` is of type {dtype:?}; expected F32, F16 or BF16")))
    }
}
