//! The trunk and one branch of a model as one ordinary stack of layers, as in checkpoints of its family.

use crate::ModelSpec;
use crate::families::Format;
use crate::values::Values;
use std::collections::BTreeMap;

/// Converts values (weights or gradients) from the model's names and layout to those of a checkpoint of
/// the family with a classification head. The trunk and one branch of the model become one ordinary stack
/// of layers; values of other branches are left out.
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

/// A parameter's name in the plain model that consists of the trunk and the parameter's branch: blocks of
/// both are numbered as `layers.0`, `layers.1`, and so on. `None` for a name that is not well formed.
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
