//! The families: what is to know about each one's checkpoints.
//!
//! Each family has a file here with how its `config.json` says the sizes, and a table from our parameter
//! names to the checkpoint's, which serves both reading and [export](crate::export). Adding a family is
//! adding such a file and its line in `formats`.

mod bert;
mod config_file;
mod deberta;
mod decoder;
mod distilbert;
mod electra;
mod modernbert;
mod names;
mod raw;
mod roberta;
mod source;

pub(crate) use config_file::ConfigFile;
pub(crate) use source::Source;

use crate::block_config::Part;
use crate::weights::Archive;
use crate::{BackboneConfig, Family, ModelError};
use serde_json::Value;

/// How one family's folders are written.
pub(crate) struct Format {
    pub(crate) family: Family,
    /// What `config.json` calls it.
    pub(crate) model_type: &'static str,
    /// The class of a model with a classification head.
    pub(crate) class: &'static str,
    /// Before the backbone's names in checkpoints with a head.
    pub(crate) prefix: &'static str,
    /// Starts of names that never have the prefix.
    pub(crate) head: &'static [&'static str],
    /// Starts of names, without prefix, of what a relevance model has no use for: heads of pretraining
    /// and of other tasks. They are passed over; whatever else is not read is an error.
    pub(crate) ignored: &'static [&'static str],
    pub(crate) config: fn(&ConfigFile) -> Result<BackboneConfig, ModelError>,
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
pub(crate) fn formats() -> impl Iterator<Item = &'static Format> {
    ENCODERS.iter().chain(&decoder::FORMATS)
}

impl Format {
    /// The format of a family's folders.
    pub(crate) fn of(family: Family) -> &'static Self {
        // Every variant has its line in the table, as a test checks.
        formats().find(|format| format.family == family).unwrap_or(&ENCODERS[0])
    }

    /// The layers of the checkpoint that a projection of a block holds side by side.
    pub(crate) fn parts(
        &self,
        config: &BackboneConfig,
        layer: usize,
        name: &str,
        outputs: usize,
    ) -> Vec<Part> {
        let source = (self.source)(&format!("layers.{layer}.{name}.weight"));
        let Some(source) = source else { return Vec::new() };
        let names = source.names().iter();
        let parts = names.zip(source.parts(config, outputs));
        let name = |name: &str| name.strip_suffix(".weight").unwrap_or(name).to_owned();
        parts.map(|(full, outputs)| Part { name: name(full), outputs }).collect()
    }

    /// The name in a checkpoint with a head.
    pub(crate) fn with_head(&self, name: &str) -> String {
        let is_head = self.head.iter().any(|start| name.starts_with(start));
        format!("{}{name}", if is_head { "" } else { self.prefix })
    }

    /// Whether a tensor of this name is one that a relevance model has no use for.
    pub(crate) fn is_passed_over(&self, name: &str) -> bool {
        let name = name.strip_prefix(self.prefix).unwrap_or(name);
        self.ignored.iter().any(|start| name.starts_with(start))
    }

    /// The name in this checkpoint: with the prefix where it has such a tensor, or would have it.
    pub(crate) fn place(&self, archive: &Archive, name: &str) -> String {
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
