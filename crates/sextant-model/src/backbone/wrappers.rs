//! Names that training tools add to the names of a model's tensors.

/// Parts of names that come from a wrapper around a module: of `torch.compile`, data parallelism, FSDP and
/// activation checkpointing. No family has a module with one of these names.
const WRAPPERS: [&str; 4] =
    ["_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

/// The prefix that PEFT adds to the names of the model that it wraps.
pub(crate) const PEFT: &str = "base_model.model.";

/// A tensor's name without the parts of wrappers, in whatever order the wrappers are nested.
pub(crate) fn unwrapped(name: &str) -> String {
    let plain = without_wrappers(name);
    let mut rest = plain.as_str();
    while let Some(inner) = rest.strip_prefix(PEFT) {
        rest = inner;
    }
    rest.to_owned()
}

/// Normalises a tensor's name in an adapter. The prefix [`PEFT`] is kept once, if it is there; the adapter's
/// own name (as in `lora_A.default.weight` and `modules_to_save.default.`), which PEFT leaves out of files,
/// is removed. `None` for a tensor of the base that one in `modules_to_save` replaces.
pub(crate) fn of_adapter(name: &str) -> Option<String> {
    let plain = without_wrappers(name);
    let inner = unwrapped(&plain);
    let mut parts: Vec<&str> = inner.split('.').collect();
    if let Some(at) = parts.iter().position(|&part| part == "modules_to_save")
        && parts.len() > at + 2
    {
        parts.drain(at..at + 2);
    }
    if parts.contains(&"original_module") {
        return None;
    }
    if let [.., factor, _, "weight"] = parts.as_slice()
        && ["lora_A", "lora_B"].contains(factor)
    {
        parts.remove(parts.len() - 2);
    }
    let wrapped = if plain.starts_with(PEFT) { PEFT } else { "" };
    Some(format!("{wrapped}{}", parts.join(".")))
}

fn without_wrappers(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
    parts.join(".")
}

/// Whether a tensor is a constant that old checkpoints store beside the parameters: positions, segments or
/// rotary frequencies. They are not read, because models compute them.
pub(super) fn is_buffer(name: &str) -> bool {
    let name = unwrapped(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    last == "position_ids"
        || name.ends_with("embeddings.token_type_ids")
        || name.ends_with("rotary_emb.inv_freq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_come_off_in_any_order() {
        for name in [
            "bert.pooler.dense.bias",
            "_orig_mod.bert.pooler.dense.bias",
            "module._orig_mod.bert.pooler.dense.bias",
            "_orig_mod.module.base_model.model.bert.pooler.dense.bias",
            "base_model.model.module.base_model.model.bert._orig_mod.pooler.dense.bias",
        ] {
            assert_eq!(unwrapped(name), "bert.pooler.dense.bias");
        }
        // A wrapper's name within another part of the name is kept.
        assert_eq!(unwrapped("submodule.weight"), "submodule.weight");
        assert_eq!(unwrapped("base_model.model.model.norm.weight"), "model.norm.weight");
    }

    #[test]
    fn adapters_lose_their_own_name() {
        let q = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
        for name in [
            q,
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight",
            "module.base_model.model._orig_mod.model.layers.0.self_attn.q_proj.lora_A.mine.weight",
            "base_model.model.base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
        ] {
            assert_eq!(of_adapter(name).as_deref(), Some(q));
        }
        let saved = "base_model.model.score.modules_to_save.default.weight";
        assert_eq!(of_adapter(saved).as_deref(), Some("base_model.model.score.weight"));
        assert_eq!(of_adapter("base_model.model.score.original_module.weight"), None);
        assert_eq!(of_adapter("score.weight").as_deref(), Some("score.weight"));
    }
}
