//! The families: what is to know about each one's checkpoints.
//!
//! Each family has a file here with how its `config.json` says the sizes, a table from our parameter
//! names to the checkpoint's, which serves both reading and [export](crate::export), and its [`Format`]:
//! names, the layout of rows, what an export is called. Adding a family is adding such a file, a variant of
//! [`Family`], and its line in the register.

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

use crate::block_config::CheckpointLayer;
use crate::gguf::{Dialect, Gguf};
use crate::weights::Archive;
use crate::{BackboneConfig, Family, ModelError, Pooling};
use serde_json::Value;
use sextant_text::RowFormat;

/// How one family's folders are written.
pub(crate) struct Format {
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
    pub(crate) config: fn(&ConfigFile) -> Result<BackboneConfig, ModelError>,
    /// How rows of texts are laid out: the first of these whose tokens the vocabulary has.
    pub(crate) rows: &'static [RowFormat],
    /// The files in which a tokenizer may be that is older than `tokenizer.json`.
    pub(crate) vocabulary: Option<VocabularyFiles>,
    /// What the class with a head can read of a row.
    pub(crate) poolings: &'static [Pooling],
    /// How its checkpoints are written as GGUF files, where those are read.
    pub(crate) gguf: Option<Dialect>,
    /// The key of `config.json` that says what is dropped of the head's input.
    pub(crate) head_dropout: &'static str,
    /// The family's keys of `config.json`.
    pub(crate) json: fn(&BackboneConfig) -> Value,
    /// The name table. Our names are those of the plain backbone: `embeddings.word`,
    /// `layers.5.qkv.weight`, `final_norm.gamma`, `dense.bias`, `classifier.weight`.
    pub(crate) source: fn(&str) -> Option<Source>,
}

/// Files that hold a tokenizer's vocabulary in its older form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VocabularyFiles {
    /// BERT's `vocab.txt`.
    WordPiece,
    /// GPT-2's `vocab.json` and `merges.txt`; texts are cut before the merges as this name says.
    Bpe(&'static str),
}

/// The register of families: one line each. A family without a line does not compile.
macro_rules! register {
    ($($family:ident => $format:path,)*) => {
        static FORMATS: &[&Format] = &[$(&$format),*];

        impl Format {
            /// The format of a family's folders.
            pub(crate) fn of(family: Family) -> &'static Self {
                match family { $(Family::$family => &$format,)* }
            }
        }
    };
}

register! {
    Bert => bert::FORMAT,
    Roberta => roberta::ROBERTA,
    XlmRoberta => roberta::XLM_ROBERTA,
    Electra => electra::FORMAT,
    Distilbert => distilbert::FORMAT,
    Modernbert => modernbert::FORMAT,
    DebertaV2 => deberta::FORMAT,
    Llama => decoder::LLAMA,
    Mistral => decoder::MISTRAL,
    Qwen2 => decoder::QWEN2,
    Qwen3 => decoder::QWEN3,
    Gemma => decoder::GEMMA,
    Gemma2 => decoder::GEMMA2,
    Gemma3 => decoder::GEMMA3,
}

/// Every family.
pub(crate) fn formats() -> impl Iterator<Item = &'static Format> + Clone {
    FORMATS.iter().copied()
}

/// How a bundle of format 1 that states no layout of its rows is read: the first that its vocabulary fits,
/// whatever its family. That is how it was trained.
pub(crate) const ROWS_OF_FORMAT_1: [RowFormat; 4] =
    [RowFormat::BERT, RowFormat::LINES_FROM_BOS, RowFormat::ROBERTA, RowFormat::LINES];

impl Format {
    /// The format of the family whose checkpoint a GGUF file was made of, and how.
    pub(crate) fn of_gguf(file: &Gguf) -> Result<(&'static Self, Dialect), ModelError> {
        let found = file.text("general.architecture")?;
        let known = formats().filter_map(|format| Some((format, format.gguf?)));
        known.clone().find(|(_, dialect)| dialect.architecture == found).ok_or_else(|| {
            let names: Vec<&str> = known.map(|(_, dialect)| dialect.architecture).collect();
            ModelError::UnknownFamily {
                path: file.path().to_owned(),
                found: found.to_owned(),
                supported: names.join(", "),
            }
        })
    }

    /// The layers of the checkpoint that a projection of a block holds side by side.
    pub(crate) fn parts(
        &self,
        config: &BackboneConfig,
        layer: usize,
        name: &str,
        outputs: usize,
    ) -> Vec<CheckpointLayer> {
        let source = (self.source)(&format!("layers.{layer}.{name}.weight"));
        let Some(source) = source else { return Vec::new() };
        let names = source.names().iter();
        let parts = names.zip(source.parts(config, outputs));
        let name = |name: &str| name.strip_suffix(".weight").unwrap_or(name).to_owned();
        parts.map(|(full, outputs)| CheckpointLayer { name: name(full), outputs }).collect()
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
