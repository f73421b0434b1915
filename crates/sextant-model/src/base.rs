//! Frozen weights in files, and shared between models.
//!
//! A bundle with LoRA has a `base.safetensors` beside its parameters: each frozen weight once, as it is
//! stored in memory. Models of one base that are opened through one [`SharedBases`] hold it once.

use crate::{Archive, ModelError, RelevanceModel, frozen, frozen_weights};
use safetensors::{Dtype, View};
use sextant_kernels::{FrozenFormat, FrozenWeight};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
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

impl View for Stored {
    fn dtype(&self) -> Dtype {
        dtype(self.weight.format())
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.weight.to_bytes().into()
    }

    fn data_len(&self) -> usize {
        FrozenWeight::byte_count(self.weight.dims(), self.weight.format())
    }
}

/// Writes the frozen weights of a model, one in memory at a time.
pub(crate) fn write(path: &Path, model: &RelevanceModel) -> Result<(), ModelError> {
    let tensors = frozen_weights(model).into_iter().map(|(name, weight)| {
        let shape = shape(weight.dims(), weight.format());
        (name, Stored { weight, shape })
    });
    safetensors::serialize_to_file(tensors, None, path).map_err(|error| ModelError::Io {
        action: "write",
        path: path.to_owned(),
        source: std::io::Error::other(error.to_string()),
    })
}

/// Gives a model the frozen weights of a file: each must be there, and nothing else. `hash` is the
/// file's.
pub(crate) fn read(
    model: &mut RelevanceModel,
    path: &Path,
    hash: &str,
    shared: &mut SharedBases,
) -> Result<(), ModelError> {
    if let Some(known) = shared.0.get(hash) {
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
    let archive = Archive::read(path, |_| false)?;
    let device = model.device();
    let mut used = BTreeSet::new();
    frozen::replace(model, |name, old| {
        used.insert(name.to_owned());
        let expected = shape(old.dims(), old.format());
        let found = archive.shape(name);
        if found != Some(&expected) || archive.dtype(name) != Some(dtype(old.format())) {
            return Err(archive.problem(format!(
                "weight `{name}` is {found:?}; the model needs {expected:?} as {}",
                old.format()
            )));
        }
        let bytes = archive.bytes(name).unwrap_or_default();
        FrozenWeight::from_bytes(bytes, old.dims(), old.format(), &device)
            .map_err(|error| archive.problem(format!("weight `{name}`: {error}")))
    })?;
    if let Some(name) = archive.names().find(|name| !used.contains(*name)) {
        return Err(archive.problem(format!("weight `{name}` is not part of the model")));
    }
    shared.0.insert(hash.to_owned(), frozen_weights(model));
    Ok(())
}
