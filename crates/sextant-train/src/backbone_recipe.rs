//! The backbone of a recipe: a pretrained one, or a fresh one with its sizes.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// `model.backbone`: the name or folder of a pretrained backbone, or the sizes of a fresh one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum BackboneRecipe {
    /// A known name (`minilm`) or a folder in Hugging Face layout.
    Pretrained(String),
    /// A small BERT with random weights and a vocabulary made from the training texts.
    Scratch(ScratchRecipe),
}

/// Written by hand, because the errors of serde's untagged enums do not name an unknown key.
impl<'de> Deserialize<'de> for BackboneRecipe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = BackboneRecipe;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a backbone's name or folder, or a table {vocab_size, hidden_size, layers, …} of a fresh one",
                )
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(BackboneRecipe::Pretrained(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                ScratchRecipe::deserialize(MapAccessDeserializer::new(map))
                    .map(BackboneRecipe::Scratch)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// The sizes of a fresh backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScratchRecipe {
    /// Entries of the WordPiece vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads.
    pub attention_heads: usize,
    /// Width inside the MLP.
    pub intermediate_size: usize,
    /// Standard deviation of the random weights. Unless stated it is `0.02 · √(768 / hidden_size)`, which is
    /// 0.02 at the width of BERT-base. Smaller weights leave a narrow model on a plateau for thousands of
    /// steps.
    pub initializer_range: Option<f32>,
    /// How the random weights are drawn.
    #[serde(skip_serializing_if = "is_default")]
    pub initializer: Initializer,
}

/// How the weights of a fresh backbone are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initializer {
    /// Every weight from the same normal distribution ([`initialize`](sextant_model::initialize)).
    #[default]
    Normal,
    /// Every token attends to equal tokens from the start
    /// ([`initialize_mimetic`](sextant_model::initialize_mimetic)): a small model leaves the plateau at the
    /// beginning of training several times sooner.
    Mimetic,
}

impl Default for ScratchRecipe {
    fn default() -> Self {
        Self {
            vocab_size: 4000,
            hidden_size: 128,
            layers: 3,
            attention_heads: 4,
            intermediate_size: 512,
            initializer_range: None,
            initializer: Initializer::Normal,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
