//! Reading PyTorch's own format, `pytorch_model.bin`.
//!
//! The crate `pytorch-reader` reads the file. Before that, [`scan`] goes through the file's pickles without
//! building their values, and refuses a file that would take too much memory for its length.

mod budget;
mod scan;

use super::wrappers::is_buffer;
use crate::source_file::SourceFile;
use crate::{Archive, ModelError};
use budget::{Budget, Error};
use pytorch_reader::{DType, PytorchReader, Tensor};
use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;

/// How many bytes are searched for the magic number at the start of a file from before PyTorch 1.6.
const MAGIC_SEARCH: usize = 64;
/// That magic number as a pickle of protocol 2 or later writes it.
const MAGIC_BYTES: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The magic number in decimal digits, as a pickle of protocol 0 or 1 writes it.
const MAGIC_DECIMAL: &[u8] = b"119547037146038801333356";
/// How many pickles such a file has before its tensors' numbers: the magic number, the protocol, the system,
/// the saved object, and the list of storages.
const OLD_PICKLES: usize = 5;
/// The bytes in which a TAR archive has its magic text `ustar`.
const TAR: std::ops::Range<usize> = 257..262;

/// The largest size of a tensor, as a multiple of the file's length. A tensor can be larger than its file,
/// because a view may repeat its storage (`expand`) and an archive may be compressed, but no known checkpoint
/// has such weights.
const MOST_TIMES: u64 = 8;
/// The size that a tensor may have in any file, in bytes.
const MOST_IN_ANY: u64 = 8 << 20;

/// Adds the tensors of a file to the archive; buffers are left out.
///
/// # Errors
/// The file cannot be read, it would take too much memory for its length, or a tensor has a type that is not
/// supported. The message names the file and the tensor.
pub(super) fn read(path: &Path, archive: &mut Archive) -> Result<(), ModelError> {
    let problem = |problem: String| ModelError::Weights { path: path.to_owned(), problem };
    let failed = |error: &dyn Display| {
        problem(format!(
            "cannot be read as a PyTorch checkpoint: {error}; convert it with `save_pretrained(…)` of transformers, which writes safetensors"
        ))
    };
    archive.add_file(SourceFile::open(path)?);
    let length = path.metadata().map_err(ModelError::io("read", path))?.len();
    check_pickles(path, length).map_err(|error| match error {
        Error::TooMuch(text) => problem(text),
        Error::Damaged(text) => failed(&text),
    })?;
    let file = PytorchReader::new(path).map_err(|error| failed(&error))?;
    for (name, tensor) in file.into_tensors() {
        if is_buffer(&name) {
            continue;
        }
        check_size(&tensor, length).map_err(|text| problem(format!("tensor `{name}` {text}")))?;
        let kind = match tensor.dtype() {
            DType::F32 => safetensors::Dtype::F32,
            DType::F16 => safetensors::Dtype::F16,
            DType::BF16 => safetensors::Dtype::BF16,
            other => {
                return Err(problem(format!(
                    "tensor `{name}` is of type {other:?}; expected F32, F16 or BF16"
                )));
            }
        };
        archive.add_torch(name, kind, tensor)?;
    }
    Ok(())
}

/// Checks the size that a tensor claims against the length of the file; nothing else in the pickle limits it.
fn check_size(tensor: &Tensor, length: u64) -> Result<(), String> {
    let claimed = tensor.byte_len() as u64;
    if claimed <= length.saturating_mul(MOST_TIMES).max(MOST_IN_ANY) {
        return Ok(());
    }
    Err(format!(
        "claims {claimed} bytes (shape {:?}) in a file of {length}: it repeats few numbers many times; save it again after `tensor.contiguous()`, or fetch the file again",
        tensor.shape()
    ))
}

/// Checks every pickle of the file that `pytorch-reader` will read.
fn check_pickles(path: &Path, length: u64) -> Result<(), Error> {
    let mut budget = Budget::of_file(length);
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    (&mut file).take(TAR.end as u64).read_to_end(&mut start)?;
    file.rewind()?;
    if start.starts_with(b"PK") {
        return check_archive(file, &mut budget);
    }
    if start.get(TAR) == Some(b"ustar") {
        return Err(Error::Damaged(
            "it is a TAR archive, as PyTorch wrote before 0.1.10; load and save it with a newer one"
                .to_owned(),
        ));
    }
    let window = &start[..start.len().min(MAGIC_SEARCH)];
    let has = |magic: &[u8]| window.windows(magic.len()).any(|bytes| bytes == magic);
    let pickles = if has(MAGIC_BYTES) || has(MAGIC_DECIMAL) { OLD_PICKLES } else { 1 };
    let mut input = BufReader::new(file);
    (0..pickles).try_for_each(|_| scan::scan(&mut input, &mut budget))
}

/// Checks the pickles of a ZIP archive. Usually there is one. If there are several, all are checked, because
/// `pytorch-reader` may read any of them.
fn check_archive(file: File, budget: &mut Budget) -> Result<(), Error> {
    let unreadable = |error: zip::result::ZipError| Error::Damaged(error.to_string());
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(unreadable)?;
    for number in 0..archive.len() {
        let entry = archive.by_index_raw(number).map_err(unreadable)?;
        let name = entry.name().map_err(unreadable)?;
        if name != "data.pkl" && !name.ends_with("/data.pkl") {
            continue;
        }
        drop(entry);
        let entry = archive.by_index(number).map_err(unreadable)?;
        budget.charge(entry.size())?;
        let size = entry.size();
        scan::scan(&mut BufReader::new(entry.take(size)), budget)?;
    }
    Ok(())
}
