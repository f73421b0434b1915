//! Turns pairs of entities into packs of token ids.
//!
//! A [`Pair`](sextant_core::Pair) becomes text through the [`TextConfig`]: one [`Template`] per kind
//! of entity, and, for models that are told the task in words, a task prefix. The [`Tokenizer`], read
//! from a Hugging Face `tokenizer.json`, turns the text into tokens, and its [`RowLayout`] puts them
//! into one row: `[CLS] prefix left [SEP] right [SEP]`. A row that is too long loses tokens field by
//! field ([`truncate`]), but never its template or its special tokens. The [`Encoder`] does all this
//! for one pair, or for many in parallel; a [`RowArena`] keeps the rows of a whole data set.
//!
//! A [`Pack`] holds rows laid end to end, without padding, and sorted by task, so that each task's
//! rows and tokens are one range. [`fill`] and [`plan_sorted`] decide which rows share a pack. For
//! causal models [`plan_shared`] decides it, and a [`PrefixTree`] says which leading tokens rows share.

mod arena;
#[cfg(test)]
extern crate self as sextant_text; // Helpers shared with the integration tests name the crate `sextant_text`.

mod bound;
mod config;
mod encoder;
mod error;
mod field;
mod layout;
mod pack;
mod plan;
mod prefixes;
mod row;
mod row_format;
mod template;
mod tokenizer;
mod train;
pub mod truncate;

pub use arena::RowArena;
pub use config::{Templates, TextConfig};
pub use encoder::Encoder;
pub use error::TextError;
pub use layout::RowLayout;
pub use pack::Pack;
pub use plan::{fill, plan_sorted};
pub use prefixes::{PrefixTree, plan_shared};
pub use row::{Cut, CutCount, EncodedRow, RowView, Side, TokenRow};
pub use row_format::RowFormat;
pub use template::Template;
pub use tokenizer::Tokenizer;
pub use train::{WordCounts, train_wordpiece};
