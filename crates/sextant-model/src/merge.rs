//! Merging adapters into the weights that they adapt.

use crate::{ModelError, ModelSpec, Private, RelevanceModel, Routing, Values, dump, load};
use std::collections::BTreeMap;

/// The same model without LoRA: every adapter is added to its weight. Logits differ by rounding only.
///
/// A model without adapters is returned unchanged.
pub fn merge(model: RelevanceModel) -> Result<RelevanceModel, ModelError> {
    if model.spec().lora.is_none() {
        return Ok(model);
    }
    let spec = ModelSpec {
        lora: None,
        routing: Routing { private: Private::Full, ..model.spec().routing },
        ..model.spec().clone()
    };
    let mut values = dump(&model);
    values.extend(weights(&model));
    let device = model.device();
    drop(model);
    load(RelevanceModel::zeros(spec, &device)?, |name, _| {
        let found = values.remove(name).map(|values| values.data);
        found
            .map(Some)
            .ok_or_else(|| ModelError::Config(format!("merging found no values of `{name}`")))
    })
}

/// The frozen weights as dense values, with adapters added, by the names that they have as parameters.
fn weights(model: &RelevanceModel) -> BTreeMap<String, Values> {
    let mut values = BTreeMap::new();
    if let Some(table) = model.embeddings.frozen_word() {
        let [width, vocabulary] = table.dims();
        let table = Values { shape: vec![vocabulary, width], data: table.values() };
        values.insert("embeddings.word".to_owned(), table);
    }
    for (path, block) in model.blocks() {
        for (name, projection) in block.projections() {
            let (Some(frozen), Some(data)) = (projection.frozen(), projection.merged()) else {
                continue;
            };
            let shape = frozen.dims().to_vec();
            values.insert(format!("{path}.{name}.weight"), Values { shape, data });
        }
    }
    values
}
