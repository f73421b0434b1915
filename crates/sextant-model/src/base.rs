//! Frozen weights in files, and shared between models.
//!
//! A bundle with LoRA has a `base.safetensors` beside its parameters, which holds each frozen weight once,
//! as it is stored in memory. Models over the same base that are opened through one [`SharedBases`] share
//! one copy of the base in memory, for as long as one of them is open.

use crate::weights::{first_not_finite_f16, index};
use crate::{Archive, ModelError, RelevanceModel, Writable, frozen, frozen_weights};
use safetensors::Dtype;
use sextant_kernels::{FrozenFormat, FrozenWeight, WeakFrozenWeight};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

/// The frozen weights of open models, by the SHA-256 of their file.
///
/// This keeps no base in memory by itself: when the last model over a base is dropped, its memory is freed,
/// and the base is read again when it is next needed.
#[derive(Debug, Default)]
pub struct SharedBases(HashMap<String, BTreeMap<String, WeakFrozenWeight>>);

impl SharedBases {
    /// How many bases are in memory.
    pub fn len(&self) -> usize {
        self.0.keys().filter(|file| self.held(file).is_some()).count()
    }

    /// Whether no base is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The weights of a file, if models still hold all of them.
    fn held(&self, file: &str) -> Option<BTreeMap<String, FrozenWeight>> {
        let weights = self.0.get(file)?.iter();
        weights.map(|(name, weight)| Some((name.clone(), weight.upgrade()?))).collect()
    }

    /// Remembers the weights of a file, and forgets files whose weights no model holds any more.
    fn remember(&mut self, file: String, weights: &BTreeMap<String, FrozenWeight>) {
        let gone = |weights: &BTreeMap<String, WeakFrozenWeight>| {
            weights.values().all(|weight| weight.upgrade().is_none())
        };
        self.0.retain(|_, weights| !gone(weights));
        let weak = weights.iter().map(|(name, weight)| (name.clone(), weight.downgrade()));
        self.0.insert(file, weak.collect());
    }
}

/// A weight as a tensor of the file: `[outputs, inputs]` numbers, or a vector of bytes if it is quantised.
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

/// The shape that the file states for a weight.
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

/// The index of the first block of a quantised weight, or of the first number of a `bf16` one, that decodes
/// to a value that is infinite or not a number. Blocks are laid out as [`FrozenFormat`] says.
fn first_not_finite(bytes: &[u8], format: FrozenFormat) -> Option<usize> {
    let word = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    match format {
        FrozenFormat::F32 => None, // checked when it was read
        FrozenFormat::Bf16 => bytes.chunks_exact(2).position(|b| word(b) & 0x7f80 == 0x7f80),
        FrozenFormat::Int8 => first_not_finite_f16(bytes.chunks_exact(2 + 32).map(word)),
        FrozenFormat::Int4 => {
            let ends = |block: &[u8]| [word(block), word(&block[2..])];
            let found = first_not_finite_f16(bytes.chunks_exact(4 + 16).flat_map(ends));
            found.map(|place| place / 2)
        }
    }
}

/// Gives a model the frozen weights of a file, which must hold each of them and nothing else. `stated` is
/// the SHA-256 that the file should have; `check` fails if it is called with any other.
pub(crate) fn read(
    model: &mut RelevanceModel,
    path: &Path,
    stated: &str,
    check: impl Fn(&str) -> Result<(), ModelError>,
    shared: &mut SharedBases,
) -> Result<(), ModelError> {
    if let Some(known) = shared.held(stated) {
        // Weights of this hash are in memory already, but the file must still have the stated hash.
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
        // If the file was cut off or changed, the error about its hash says more than the one about its
        // contents.
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
    shared.remember(found, &frozen_weights(model));
    Ok(())
}
