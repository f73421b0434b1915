//! Errors of texts, templates and tokenizers.

use crate::Side;
use sextant_core::Task;
use std::path::PathBuf;

/// Why text could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The tokenizer file cannot be read.
    #[error("cannot read the tokenizer {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file, or another source of bytes, does not hold a tokenizer.
    #[error(
        "{origin} is not a Hugging Face tokenizer: {reason}; expected the `tokenizer.json` that fast tokenizers save"
    )]
    NotATokenizer {
        /// The file, or the other source of the bytes.
        origin: String,
        /// The message of the parser.
        reason: String,
    },
    /// The vocabulary lacks a special token that the model's rows need.
    #[error(
        "{origin} has no token `{token}`; rows of this model need {needed}: take the tokenizer that was trained with it"
    )]
    MissingToken {
        /// The file, or the other source of the bytes.
        origin: String,
        /// The token that is missing.
        token: String,
        /// The tokens that rows of this model need.
        needed: String,
    },
    /// Training or running the tokenizer failed.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// A vocabulary cannot be trained.
    #[error("cannot train a vocabulary: {0}")]
    Train(String),
    /// A template cannot be used.
    #[error("text.{key} = `{template}`: {reason}")]
    Template {
        /// The key of the template in the configuration, such as `templates.product`.
        key: String,
        /// The template as written.
        template: String,
        /// What is wrong with the template, and what would be right.
        reason: String,
    },
    /// A row of `max_tokens` tokens has no room for text beside the template and the special tokens.
    #[error(
        "text.max_tokens = {max_tokens} is too small: template and special tokens of {task} take {fixed}, and each side needs one more; set it to at least {}",
        fixed + 2
    )]
    MaxTokensTooSmall {
        /// The limit that the configuration states.
        max_tokens: usize,
        /// The task whose rows do not fit.
        task: Task,
        /// The number of tokens that cannot be cut.
        fixed: usize,
    },
    /// An entity has no text, or the tokenizer finds no token in it.
    #[error("the {side} text of the {task} pair is empty{}", if text.is_empty() { String::new() } else { format!(": the tokenizer finds nothing in {text:?}") })]
    EmptyText {
        /// The pair's task.
        task: Task,
        /// The side of the pair that the entity is on.
        side: Side,
        /// The text as given, if it is not blank.
        text: String,
    },
    /// One of many rows has an error.
    #[error("row {row} (counted from 0): {source}")]
    Row {
        /// The row's index in the list that was encoded.
        row: usize,
        /// The error of this row.
        source: Box<TextError>,
    },
}
