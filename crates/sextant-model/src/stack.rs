//! The trunk and one branch of a model as one ordinary stack, as checkpoints of its family have it.

use crate::ModelSpec;
use crate::families::Format;
use crate::values::Values;
use std::collections::BTreeMap;

/// Values by our names (weights, or gradients) by the names and in the layout of a checkpoint of the
/// family with a classification head: the trunk and one branch of the model as one ordinary stack.
/// Values of other branches are left out.
pub fn to_checkpoint(
    spec: &ModelSpec,
    branch: &str,
    values: &BTreeMap<String, Values>,
) -> BTreeMap<String, Values> {
    let format = Format::of(spec.backbone.family);
    let mut tensors = BTreeMap::new();
    for (name, values) in values {
        let other = name
            .strip_prefix("branches.")
            .is_some_and(|rest| rest.split_once('.').is_none_or(|(found, _)| found != branch));
        if other {
            continue;
        }
        let source = stacked(name, spec).and_then(|name| (format.source)(&name));
        for (name, values) in source.iter().flat_map(|source| source.write(&spec.backbone, values))
        {
            tensors.insert(format.with_head(&name), values);
        }
    }
    tensors
}

/// A parameter's name as if its path from embeddings to head were a model of its own.
pub(crate) fn stacked(name: &str, spec: &ModelSpec) -> Option<String> {
    if let Some(rest) = name.strip_prefix("trunk.") {
        return Some(format!("layers.{rest}"));
    }
    if let Some(rest) = name.strip_prefix("trunk_norm.") {
        return Some(format!("final_norm.{rest}"));
    }
    let Some(rest) = name.strip_prefix("branches.") else { return Some(name.to_owned()) };
    let (_, rest) = rest.split_once('.')?;
    if let Some(rest) = rest.strip_prefix("norm.") {
        return Some(format!("final_norm.{rest}"));
    }
    let Some(rest) = rest.strip_prefix("layers.") else { return Some(rest.to_owned()) };
    let (layer, rest) = rest.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    Some(format!("layers.{}.{rest}", spec.routing.trunk_layers(spec.backbone.layers) + layer))
}
