//! Adapters in the format of PEFT (Hugging Face): a folder with `adapter_config.json` and
//! `adapter_model.safetensors`. [`Adapter`] reads such a folder, [`export::peft`](crate::export::peft) writes
//! one.
//!
//! The factors of a layer `model.layers.0.self_attn.q_proj` are stored as
//! `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`, `[rank, inputs]`, and `….lora_B.weight`,
//! `[outputs, rank]`. Tensors that are trained whole, such as the head, are stored under their own names
//! after `base_model.model.`, and their modules are listed in `modules_to_save`.

mod config;
mod read;

pub(crate) use config::{AdapterConfig, Origin};
pub use read::Adapter;

use crate::ModelSpec;
use crate::families::Format;
use crate::paths::is_end;
use crate::stack::stacked;
use std::collections::BTreeSet;

pub(crate) const CONFIG: &str = "adapter_config.json";
pub(crate) const WEIGHTS: &str = "adapter_model.safetensors";
/// The file with what PEFT's configuration has no key for.
pub(crate) const ORIGIN: &str = "sextant.json";

/// The name in an adapter's file of a tensor of the checkpoint.
pub(crate) fn key(name: &str) -> String {
    format!("base_model.model.{name}")
}

/// For the model's parameter of a low-rank factor, such as `trunk.3.qkv.lora.1.a`: the checkpoint's name of
/// the adapted layer, and the end of the factor's name (`lora_A.weight` or `lora_B.weight`). `None` for other
/// parameters.
pub(crate) fn factor(
    name: &str,
    spec: &ModelSpec,
    format: &Format,
) -> Option<(String, &'static str)> {
    let (path, rest) = name.split_once(".lora.")?;
    let (part, kind) = rest.split_once('.')?;
    let source = (format.source)(&stacked(&format!("{path}.weight"), spec)?)?;
    let weight = source.names().get(part.parse::<usize>().ok()?)?;
    let layer = weight.strip_suffix(".weight")?;
    let kind = if kind == "a" { "lora_A.weight" } else { "lora_B.weight" };
    Some((format.with_head(layer), kind))
}

/// The module that PEFT must save so that this tensor is saved: the whole head, or the layer that the tensor
/// belongs to.
pub(crate) fn module(tensor: &str, format: &Format) -> String {
    let of_head = format.head.iter().any(|start| tensor.starts_with(start));
    let end = if of_head { tensor.find('.') } else { tensor.rfind('.') };
    tensor[..end.unwrap_or(tensor.len())].to_owned()
}

/// The shortest ends of names that match the layers in `adapted` and no other layer in `all`: the last part,
/// such as `q_proj`; if that is not enough, the part after the block's number; otherwise whole names.
pub(crate) fn targets(adapted: &BTreeSet<String>, all: &BTreeSet<String>) -> Vec<String> {
    fn last(name: &str) -> &str {
        name.rsplit('.').next().unwrap_or(name)
    }
    fn whole(name: &str) -> &str {
        name
    }
    fn within_block(name: &str) -> &str {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let mut start = 0;
        let mut rest = 0;
        for part in name.split('.') {
            start += part.len() + 1;
            if number(part) {
                rest = start;
            }
        }
        name.get(rest..).unwrap_or(name)
    }
    for shorten in [last, within_block, whole] {
        let ends: BTreeSet<&str> = adapted.iter().map(|name| shorten(name)).collect();
        let picked = |name: &str| ends.iter().any(|end| is_end(end, name));
        if all.iter().all(|name| picked(name) == adapted.contains(name)) {
            return ends.into_iter().map(str::to_owned).collect();
        }
    }
    adapted.iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_as_short_as_they_can_be() {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let all: BTreeSet<String> =
            set(&["m.layers.0.q", "m.layers.1.q", "m.layers.0.mlp.q", "m.layers.1.mlp.q", "p.v"]);
        let found = |adapted: &[&str]| targets(&set(adapted), &all);
        assert_eq!(found(&["p.v"]), ["v"]);
        assert_eq!(found(&["m.layers.0.mlp.q", "m.layers.1.mlp.q"]), ["mlp.q"]);
        assert_eq!(found(&["m.layers.1.q", "p.v"]), ["m.layers.1.q", "p.v"]);
    }
}
