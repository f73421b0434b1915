//! Rows with a text in which there is nothing to read.

use super::key::is_ignorable;
use super::leak::RowPlace;
use crate::Dataset;
use serde::Serialize;
use sextant_core::{Split, Task};

/// A row of which one side has no character that is seen.
///
/// Which characters have a token depends on the tokenizer. The rule here needs none: a text (a product's
/// title) of white space, control and format characters alone, such as a zero-width space. Tokenizers that
/// normalise their texts find nothing in it, and training then refuses the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextlessRow {
    /// The row.
    #[serde(flatten)]
    pub place: RowPlace,
    /// Its task.
    pub task: Task,
    /// Whether the left side has nothing to read; otherwise the right side has nothing.
    pub left: bool,
    /// The text, with its characters written out as escapes.
    pub text: String,
}

impl TextlessRow {
    /// All such rows of a data set, in the order of the splits; a row with two such sides is there twice.
    pub(super) fn of(dataset: &Dataset) -> Vec<Self> {
        let mut found = Vec::new();
        for split in Split::ALL {
            for (row, example) in dataset.part(split).iter().enumerate() {
                let pair = &example.pair;
                for (left, entity) in [(true, &pair.left), (false, &pair.right)] {
                    if entity.text().chars().all(is_unseen) {
                        let place = RowPlace::of(split, row, example);
                        let text = entity.text().escape_unicode().to_string();
                        found.push(Self { place, task: pair.task, left, text });
                    }
                }
            }
        }
        found
    }
}

/// White space, control and format characters.
fn is_unseen(character: char) -> bool {
    character.is_whitespace()
        || is_ignorable(character)
        || matches!(
            character,
            '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        )
}
