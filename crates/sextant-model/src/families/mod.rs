//! The backbone families: how the checkpoints of each one are read and written.
//!
//! Each family has a file here. It holds the function that reads the sizes from the family's `config.json`; a
//! table from the model's parameter names to the checkpoint's, which is used for reading and for
//! [export](crate::export); and the family's [`Format`], with the layout of rows and the names in an export.
//! To add a family, add such a file, a variant of [`Family`], and a line in the register below.

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

/// How the checkpoint folders of one family are read and written.
pub(crate) struct Format {
    /// The `model_type` in `config.json`.
    pub(crate) model_type: &'static str,
    /// The class in `transformers` of a model with a classification head.
    pub(crate) class: &'static str,
    /// The prefix of the names of the backbone's tensors in checkpoints with a head.
    prefix: &'static str,
    /// The first parts of the names that never have the prefix: those of the head.
    pub(crate) head: &'static [&'static str],
    /// The first parts of the names, without the prefix, of tensors that a relevance model does not use:
    /// heads for pretraining and for other tasks. These tensors are ignored; any other tensor that is not
    /// read is an error.
    ignored: &'static [&'static str],
    /// Reads the sizes and options of a backbone from its `config.json`.
    pub(crate) config: fn(&ConfigFile) -> Result<BackboneConfig, ModelError>,
    /// How rows are laid out: by the first of these formats whose special tokens the vocabulary has.
    pub(crate) rows: &'static [RowFormat],
    /// The files that hold the tokenizer in checkpoints from before `tokenizer.json`, if they can be read.
    pub(crate) vocabulary: Option<VocabularyFiles>,
    /// The poolings that the class with a head can compute.
    pub(crate) poolings: &'static [Pooling],
    /// How llama.cpp writes the family's checkpoints as GGUF files; `None` if GGUF files of the family are
    /// not read.
    pub(crate) gguf: Option<Dialect>,
    /// The key of `config.json` with the dropout probability of the head's input.
    pub(crate) head_dropout: &'static str,
    /// Writes the sizes and options of a backbone as the keys of the family's `config.json`.
    pub(crate) json: fn(&BackboneConfig) -> Value,
    /// The name table, which maps a parameter's name in the plain backbone to the checkpoint's tensors. Names
    /// in the plain backbone are `embeddings.word`, `layers.5.qkv.weight`, `final_norm.gamma`, `dense.bias`,
    /// `classifier.weight`, and so on.
    pub(crate) source: fn(&str) -> Option<Source>,
}

/// The files that hold a tokenizer's vocabulary in checkpoints from before `tokenizer.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VocabularyFiles {
    /// BERT's `vocab.txt`.
    WordPiece,
    /// GPT-2's `vocab.json` and `merges.txt`. The name is that of the rule by which texts are split before
    /// merges are applied.
    Bpe(&'static str),
}

/// The register of families, with one line for each. A variant of [`Family`] without a line is a compile
/// error.
macro_rules! register {
    ($($family:ident => $format:path,)*) => {
        static FORMATS: &[&Format] = &[$(&$format),*];

        impl Format {
            /// The format of a family's checkpoint folders.
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

/// The formats of all families.
pub(crate) fn formats() -> impl Iterator<Item = &'static Format> + Clone {
    FORMATS.iter().copied()
}

/// The row formats that are tried, whatever the family, for a bundle of format 1 whose manifest states no
/// layout of rows: the first one that fits the vocabulary is used. Such a bundle was trained with that
/// layout.
pub(crate) const ROWS_OF_FORMAT_1: [RowFormat; 4] =
    [RowFormat::BERT, RowFormat::LINES_FROM_BOS, RowFormat::ROBERTA, RowFormat::LINES];

impl Format {
    /// The format of the family that a GGUF file belongs to, and how llama.cpp writes that family's
    /// checkpoints.
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

    /// The layers of the checkpoint that a projection of a block holds side by side. `name` is the
    /// projection's name in the block and `outputs` its number of outputs.
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

    /// The name of a tensor in a checkpoint with a head.
    pub(crate) fn with_head(&self, name: &str) -> String {
        let is_head = self.head.iter().any(|start| name.starts_with(start));
        format!("{}{name}", if is_head { "" } else { self.prefix })
    }

    /// Whether a tensor of this name is ignored, because a relevance model does not use it.
    pub(crate) fn is_passed_over(&self, name: &str) -> bool {
        let name = name.strip_prefix(self.prefix).unwrap_or(name);
        self.ignored.iter().any(|start| name.starts_with(start))
    }

    /// The name of a tensor in this checkpoint: with the prefix if the checkpoint has the tensor under that
    /// name, or if it lacks the tensor but its other tensors have the prefix.
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
            // The serialised names of the enum's variants are the model types, so that no family is missing.
            let family: Family = serde_json::from_value(format.model_type.into()).unwrap();
            assert_eq!(Format::of(family).model_type, format.model_type);
        }
    }
}
