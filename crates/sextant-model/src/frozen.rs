//! The frozen weights of a model with LoRA, by name.
//!
//! A frozen weight has the name that it would have as a parameter of the plain backbone, such as
//! `layers.5.qkv.weight` or `embeddings.word`. Adapters of several tasks over one block share its weight,
//! and so do several models over one backbone.

use crate::RelevanceModel;
use crate::stack::stacked;
use sextant_kernels::FrozenWeight;
use std::collections::BTreeMap;

/// The frozen weights of a model by name, each once even if several branches share it.
pub fn frozen_weights(model: &RelevanceModel) -> BTreeMap<String, FrozenWeight> {
    let mut weights = BTreeMap::new();
    if let Some(table) = model.embeddings.frozen_word() {
        weights.insert("embeddings.word".to_owned(), table.clone());
    }
    for (path, block) in model.blocks() {
        for (name, projection) in block.projections() {
            let name = stacked(&format!("{path}.{name}.weight"), model.spec());
            if let (Some(weight), Some(name)) = (projection.frozen(), name) {
                weights.entry(name).or_insert_with(|| weight.clone());
            }
        }
    }
    weights
}

/// Replaces every frozen weight by the one that `source` returns for its name and old weight. `source` is
/// called once for each name.
pub(crate) fn replace<E>(
    model: &mut RelevanceModel,
    mut source: impl FnMut(&str, &FrozenWeight) -> Result<FrozenWeight, E>,
) -> Result<(), E> {
    let spec = model.spec().clone();
    if let Some(table) = model.embeddings.frozen_word_mut() {
        *table = source("embeddings.word", table)?;
    }
    let mut found: BTreeMap<String, FrozenWeight> = BTreeMap::new();
    for (path, block) in model.blocks_mut() {
        for (name, projection) in block.projections_mut() {
            let Some(old) = projection.frozen() else { continue };
            let Some(name) = stacked(&format!("{path}.{name}.weight"), &spec) else { continue };
            let weight = if let Some(weight) = found.get(&name) {
                weight.clone()
            } else {
                let weight = source(&name, old)?;
                found.insert(name, weight.clone());
                weight
            };
            projection.set_frozen(weight);
        }
    }
    Ok(())
}

/// Fills every frozen weight, stored in its own format. `values` is called with a weight's name and its
/// `[inputs, outputs]`, and returns the numbers as `[outputs, inputs]`, row-major.
pub(crate) fn fill(
    model: &mut RelevanceModel,
    mut values: impl FnMut(&str, [usize; 2]) -> Vec<f32>,
) {
    let device = model.device();
    let filled = replace::<std::convert::Infallible>(model, |name, old| {
        let (dims, format) = (old.dims(), old.format());
        Ok(FrozenWeight::new(&values(name, dims), dims, format, &device))
    });
    match filled {
        Ok(()) => {}
        Err(never) => match never {},
    }
}
