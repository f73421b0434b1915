//! Pretrained backbones: a Hugging Face folder with `config.json`, weights and `tokenizer.json`, or one
//! with a `model.gguf`.
//!
//! Each family has a file here with two things: how its `config.json` says the sizes, and a table
//! from our parameter names to the checkpoint's. Adding a family is adding such a file and its line in
//! `formats`; the table serves both reading and [export](crate::export).

mod bert;
mod checkpoint;
mod config_file;
mod deberta;
mod decoder;
mod distilbert;
mod electra;
pub(crate) mod gguf;
mod head;
mod labels;
mod modernbert;
mod names;
mod onnx;
mod pretrained;
mod raw;
mod roberta;
mod source;
mod stated;
mod tokenizer_files;
mod torch;
mod wrappers;

pub use checkpoint::{locate as weights_path, read as read_weights};
pub use pretrained::Backbone;
pub(crate) use source::Source;
pub(crate) use wrappers::{PEFT, of_adapter};

use crate::{Archive, BackboneConfig, Family, ModelError, ModelSpec, Values};
use config_file::ConfigFile;
use serde_json::Value;
use std::collections::BTreeMap;

/// How one family's folders are written.
pub(crate) struct Format {
    family: Family,
    /// What `config.json` calls it.
    pub(crate) model_type: &'static str,
    /// The class of a model with a classification head.
    pub(crate) class: &'static str,
    /// Before the backbone's names in checkpoints with a head.
    prefix: &'static str,
    /// Starts of names that never have the prefix.
    pub(crate) head: &'static [&'static str],
    /// Starts of names, without prefix, of what a relevance model has no use for: heads of pretraining
    /// and of other tasks. They are passed over; whatever else is not read is an error.
    ignored: &'static [&'static str],
    config: fn(&ConfigFile) -> Result<BackboneConfig, ModelError>,
    /// The family's keys of `config.json`.
    pub(crate) json: fn(&BackboneConfig) -> Value,
    /// The name table. Our names are those of the plain backbone: `embeddings.word`,
    /// `layers.5.qkv.weight`, `final_norm.gamma`, `dense.bias`, `classifier.weight`.
    pub(crate) source: fn(&str) -> Option<Source>,
}

/// Every encoder family.
static ENCODERS: [Format; 7] = [
    bert::FORMAT,
    roberta::ROBERTA,
    roberta::XLM_ROBERTA,
    electra::FORMAT,
    distilbert::FORMAT,
    modernbert::FORMAT,
    deberta::FORMAT,
];

/// Every family.
fn formats() -> impl Iterator<Item = &'static Format> {
    ENCODERS.iter().chain(&decoder::FORMATS)
}

impl Format {
    /// The format of a family's folders.
    pub(crate) fn of(family: Family) -> &'static Self {
        // Every variant has its line in the table, as a test checks.
        formats().find(|format| format.family == family).unwrap_or(&ENCODERS[0])
    }

    /// The name in a checkpoint with a head.
    pub(crate) fn with_head(&self, name: &str) -> String {
        let is_head = self.head.iter().any(|start| name.starts_with(start));
        format!("{}{name}", if is_head { "" } else { self.prefix })
    }

    /// Whether a tensor of this name is one that a relevance model has no use for.
    fn is_passed_over(&self, name: &str) -> bool {
        let name = name.strip_prefix(self.prefix).unwrap_or(name);
        self.ignored.iter().any(|start| name.starts_with(start))
    }

    /// The name in this checkpoint: with the prefix where it has such a tensor, or would have it.
    fn place(&self, archive: &Archive, name: &str) -> String {
        let prefixed = format!("{}{name}", self.prefix);
        if archive.shape(&prefixed).is_some() {
            return prefixed;
        }
        let absent = archive.shape(name).is_none();
        if absent && archive.names().any(|name| name.starts_with(self.prefix)) {
            return self.with_head(name);
        }
        name.to_owned()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_family_has_its_format() {
        let types: BTreeSet<_> = formats().map(|format| format.model_type).collect();
        assert_eq!(types.len(), formats().count());
        for format in formats() {
            // kebab-case names of the enum are the model types, so none can be forgotten
            let family: Family = serde_json::from_value(format.model_type.into()).unwrap();
            assert_eq!(Format::of(family).model_type, format.model_type);
        }
    }
}
