//! Exporting one task's adapters and head as a PEFT folder, without the base.

use super::huggingface::{check, write_tokenizer};
use super::{Stack, card, write, write_folder, write_json};
use crate::block_config::PROJECTIONS;
use crate::bundle::Bundle;
use crate::families::Format;
use crate::peft::{AdapterConfig, CONFIG, ORIGIN, Origin, WEIGHTS, factor, key, module, targets};
use crate::stack::to_checkpoint;
use crate::{Archive, LoraConfig, ModelError, Pooling, PrivateInit, Values, dump};
use sextant_core::Task;
use sextant_files::Existing;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Writes a task of a bundle with LoRA as a folder with `adapter_config.json`, `adapter_model.safetensors`,
/// tokenizer and model card. `peft` opens it over its base, and Sextant with [`Adapter`](crate::Adapter).
/// `base` becomes the value of `base_model_name_or_path`. Modules that are trained whole (the head, full
/// private blocks) are listed in `modules_to_save`.
///
/// # Errors
/// [`ModelError::Export`] for a bundle without LoRA, and for a model that the family's class or PEFT cannot
/// express.
pub fn peft(
    bundle: &Bundle,
    task: Task,
    base: &str,
    folder: &Path,
    existing: Existing,
) -> Result<(), ModelError> {
    let stack = Stack::new(bundle, task)?;
    let spec = stack.spec();
    let format = Format::of(stack.backbone.family);
    let Some(lora) = &spec.lora else {
        return Err(ModelError::Export(
            "the bundle was trained whole, not by LoRA; export it with `--format hf`".into(),
        ));
    };
    if spec.routing.private_layers > 0 && spec.routing.private_init == PrivateInit::Fresh {
        return Err(ModelError::Export(
            "private blocks that began fresh stand above the base, where an adapter cannot put them; use `--format hf`".into(),
        ));
    }
    check(&stack, format)?;
    if spec.pooling == Pooling::Mean {
        return Err(ModelError::Export(
            "the bundle pools by `mean`, which only a base's `config.json` can say; use `--format hf`".into(),
        ));
    }
    let Parts { tensors, config } = parts(&stack, format, lora, base)?;
    let origin = Origin {
        sextant_version: env!("CARGO_PKG_VERSION").to_owned(),
        task,
        text: bundle.encoder.config().clone(),
        backbone: stack.backbone.clone(),
    };
    let json = |value: Result<serde_json::Value, serde_json::Error>| {
        value.map_err(|error| ModelError::Export(error.to_string()))
    };
    let (config, origin) =
        (json(serde_json::to_value(config))?, json(serde_json::to_value(origin))?);
    write_folder(folder, existing, CONFIG, |place| {
        write_json(place, CONFIG, &config)?;
        write_json(place, ORIGIN, &origin)?;
        Archive::write_for_torch(&place.join(WEIGHTS), &tensors)?;
        write_tokenizer(&stack, place)?;
        write(place, card::FILE, card::peft(&stack, format.class, base).as_bytes())
    })
}

/// The contents of the two files of an adapter.
struct Parts {
    tensors: BTreeMap<String, Values>,
    config: AdapterConfig,
}

fn parts(
    stack: &Stack<'_>,
    format: &Format,
    lora: &LoraConfig,
    base: &str,
) -> Result<Parts, ModelError> {
    let spec = stack.spec();
    let values = dump(&stack.bundle.model);
    let mut tensors = BTreeMap::new();
    let (mut adapted, mut saved) = (BTreeSet::new(), BTreeSet::new());
    for (name, values) in &values {
        if !stack.passes(name) {
            continue;
        }
        if let Some((layer, kind)) = factor(name, spec, format) {
            tensors.insert(key(&format!("{layer}.{kind}")), values.transposed());
            adapted.insert(layer);
        } else if spec.trains(name) {
            let one = BTreeMap::from([(name.clone(), values.clone())]);
            saved.extend(to_checkpoint(spec, stack.branch, &one).keys().map(|n| module(n, format)));
        }
    }
    let layers: BTreeSet<String> = (0..stack.backbone.layers)
        .flat_map(|layer| PROJECTIONS.map(|name| (layer, name)))
        .flat_map(|(layer, name)| format.parts(&stack.backbone, layer, name, 1))
        .map(|part| format.with_head(&part.name))
        .collect();
    let dense = to_checkpoint(spec, stack.branch, &values);
    for module in &saved {
        // The weight of a frozen layer is not a parameter, so that it is not among the dense values.
        if layers.contains(module) && !dense.contains_key(&format!("{module}.weight")) {
            return Err(ModelError::Export(format!(
                "a bias of `{module}` is trained and its weight is not, which PEFT cannot say of single layers; use `--format hf`"
            )));
        }
    }
    let mut all: BTreeSet<String> = dense.keys().map(|name| module(name, format)).collect();
    all.extend(layers);
    for (name, values) in dense {
        if saved.contains(&module(&name, format)) {
            tensors.insert(key(&name), values);
        }
    }
    let saved = saved.into_iter().collect();
    let config = AdapterConfig::new(lora, base, targets(&adapted, &all), saved);
    Ok(Parts { tensors, config })
}
