//! Rows with a side whose text has only invisible characters.

use super::key::is_ignorable;
use super::leak::RowPlace;
use crate::Dataset;
use serde::Serialize;
use sextant_core::{Split, Task};

/// A row of which one side has only invisible characters.
///
/// It depends on the tokenizer which characters have a token. The rule here needs no tokenizer: it finds a
/// text (or a product's title) that has only white space, control characters and format characters, such as a
/// zero-width space. Tokenizers that normalise texts find no token in it, and training then refuses the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextlessRow {
    /// Where the row is.
    #[serde(flatten)]
    pub place: RowPlace,
    /// The row's task.
    pub task: Task,
    /// Whether the invisible text is on the left side; otherwise it is on the right side.
    pub left: bool,
    /// The text, with its characters written out as escapes.
    pub text: String,
}

impl TextlessRow {
    /// All such rows of a dataset, in the order of the splits. A row with two such sides is listed twice.
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

/// Whether a character is white space, a control character or a format character.
fn is_unseen(character: char) -> bool {
    character.is_whitespace()
        || is_ignorable(character)
        || matches!(
            character,
            '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        )
}
