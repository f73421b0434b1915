//! Frozen weights in files, and shared between models.
//!
//! A bundle with LoRA has a `base.safetensors` beside its parameters: each frozen weight once, as it is
//! stored in memory. Models of one base that are opened through one [`SharedBases`] hold it once.

use crate::weights::{first_not_finite_f16, index};
use crate::{Archive, ModelError, RelevanceModel, Writable, frozen, frozen_weights};
use safetensors::Dtype;
use sextant_kernels::{FrozenFormat, FrozenWeight};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

/// The frozen weights of open models, by the SHA-256 of their file.
#[derive(Debug, Default)]
pub struct SharedBases(HashMap<String, BTreeMap<String, FrozenWeight>>);

/// A weight as a tensor of the file: `[outputs, inputs]` numbers, or bytes where it is quantised.
struct Stored {
    weight: FrozenWeight,
    shape: Vec<usize>,
}

fn dtype(format: FrozenFormat) -> Dtype {
    match format {
        FrozenFormat::F32 => Dtype::F32,
        FrozenFormat::Bf16 => Dtype::BF16,
        FrozenFormat::Int8 | FrozenFormat::Int4 => Dtype::U8,
    }
}

/// What the file says of a weight's shape.
fn shape([inputs, outputs]: [usize; 2], format: FrozenFormat) -> Vec<usize> {
    match format {
        FrozenFormat::F32 | FrozenFormat::Bf16 => vec![outputs, inputs],
        FrozenFormat::Int8 | FrozenFormat::Int4 => {
            vec![FrozenWeight::byte_count([inputs, outputs], format)]
        }
    }
}

impl Writable for Stored {
    fn dtype(&self) -> Dtype {
        dtype(self.weight.format())
    }

    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn pieces(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.weight.pieces(write)
    }
}

/// Writes the frozen weights of a model, one in memory at a time.
pub(crate) fn write(path: &Path, model: &RelevanceModel) -> Result<(), ModelError> {
    let tensors = frozen_weights(model).into_iter().map(|(name, weight)| {
        let shape = shape(weight.dims(), weight.format());
        (name, Stored { weight, shape })
    });
    Archive::write_tensors(path, tensors, None)
}

/// The place of the first block of a quantised weight, or number of another one, that stands for numbers
/// that are infinite or none. Formats are those of [`FrozenFormat`].
fn first_not_finite(bytes: &[u8], format: FrozenFormat) -> Option<usize> {
    let word = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    match format {
        FrozenFormat::F32 => None, // looked at where it was read
        FrozenFormat::Bf16 => bytes.chunks_exact(2).position(|b| word(b) & 0x7f80 == 0x7f80),
        FrozenFormat::Int8 => first_not_finite_f16(bytes.chunks_exact(2 + 32).map(word)),
        FrozenFormat::Int4 => {
            let ends = |block: &[u8]| [word(block), word(&block[2..])];
            let found = first_not_finite_f16(bytes.chunks_exact(4 + 16).flat_map(ends));
            found.map(|place| place / 2)
        }
    }
}

/// Gives a model the frozen weights of a file: each must be there, and nothing else. `stated` is the hash
/// that the file should have; `check` fails for another one.
pub(crate) fn read(
    model: &mut RelevanceModel,
    path: &Path,
    stated: &str,
    check: impl Fn(&str) -> Result<(), ModelError>,
    shared: &mut SharedBases,
) -> Result<(), ModelError> {
    if let Some(known) = shared.0.get(stated) {
        // Bytes of this hash are in memory; the file must be whole all the same.
        check(&sextant_files::sha256(path)?)?;
        return frozen::replace(model, |name, old| match known.get(name) {
            Some(weight) if weight.dims() == old.dims() && weight.format() == old.format() => {
                Ok(weight.clone())
            }
            _ => Err(ModelError::Weights {
                path: path.to_owned(),
                problem: format!("weight `{name}` {:?} is missing or of another shape", old.dims()),
            }),
        });
    }
    let (mut archive, found) = Archive::read_whole(path).map_err(|error| {
        // Of a file that was cut off or changed, the hash says so before what is in it.
        match sextant_files::sha256(path).map_err(ModelError::from).and_then(|found| check(&found))
        {
            Err(changed @ ModelError::Bundle { .. }) => changed,
            _ => error,
        }
    })?;
    check(&found)?;
    let device = model.device();
    frozen::replace(model, |name, old| {
        let (dims, format) = (old.dims(), old.format());
        let expected = shape(dims, format);
        let found = archive.shape(name);
        if found != Some(&expected) || archive.dtype(name) != Some(dtype(format)) {
            return Err(archive.problem(format!(
                "weight `{name}` is {found:?}; the model needs {expected:?} as {format}"
            )));
        }
        if format == FrozenFormat::F32 {
            let values = archive.take(name, &expected)?;
            return Ok(FrozenWeight::new(&values, dims, format, &device));
        }
        let bytes = archive.take_bytes(name).unwrap_or_default();
        if let Some(place) = first_not_finite(&bytes, format) {
            return Err(archive.problem(format!(
                "weight `{name}` holds numbers that are infinite or none, at {} {:?}; take a bundle from before it was damaged",
                if format == FrozenFormat::Bf16 { "number" } else { "block" },
                if format == FrozenFormat::Bf16 { index(place, &expected) } else { vec![place] }
            )));
        }
        FrozenWeight::from_bytes(&bytes, dims, format, &device)
            .map_err(|error| archive.problem(format!("weight `{name}`: {error}")))
    })?;
    if let Some(name) = archive.names().next() {
        return Err(archive.problem(format!("weight `{name}` is not part of the model")));
    }
    shared.0.insert(found, frozen_weights(model));
    Ok(())
}
