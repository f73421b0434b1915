//! One encoded pair, and how many tokens truncation took from it.

use serde::{Deserialize, Serialize};
use sextant_core::Task;

/// One of the two entities of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The first entity.
    Left,
    /// The second entity.
    Right,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Left => "left",
            Self::Right => "right",
        })
    }
}

/// How many tokens truncation took from each side of one row. The count is a lower bound where a field has
/// more text than the encoder tokenizes (some 32 bytes for each token of a row), and exact otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Tokens taken from the left entity.
    pub left: u32,
    /// Tokens taken from the right entity.
    pub right: u32,
}

impl Cut {
    /// Whether the row was truncated at all.
    pub const fn any(self) -> bool {
        self.left + self.right > 0
    }
}

/// One pair as the model reads it, special tokens included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRow {
    /// The task that the pair belongs to.
    pub task: Task,
    /// Token ids, at most [`max_tokens`](crate::TextConfig::max_tokens) of them.
    pub ids: Vec<u32>,
    /// The segment of each token: 0 (left side) or 1 (right side). All are 0 for model families with one
    /// segment.
    pub segments: Vec<u8>,
    /// How many tokens truncation took from each side.
    pub cut: Cut,
}

impl EncodedRow {
    /// Tokens in the row.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the row has no tokens, which is never true of a row made by an [`Encoder`](crate::Encoder).
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// A borrowed row: a view of an [`EncodedRow`] or of a row in a [`RowArena`](crate::RowArena).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowView<'a> {
    /// The task that the pair belongs to.
    pub task: Task,
    /// Token ids.
    pub ids: &'a [u32],
    /// The segment of each token; see [`EncodedRow::segments`].
    pub segments: &'a [u8],
}

impl RowView<'_> {
    /// Tokens in the row.
    pub const fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the row has no tokens.
    pub const fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Anything that holds the tokens of one row: an [`EncodedRow`], or a [`RowView`] of one in a
/// [`RowArena`](crate::RowArena).
pub trait TokenRow: Sync {
    /// The row, borrowed.
    fn view(&self) -> RowView<'_>;
}

impl TokenRow for EncodedRow {
    fn view(&self) -> RowView<'_> {
        RowView { task: self.task, ids: &self.ids, segments: &self.segments }
    }
}

impl TokenRow for RowView<'_> {
    fn view(&self) -> RowView<'_> {
        *self
    }
}

impl<R: TokenRow> TokenRow for &R {
    fn view(&self) -> RowView<'_> {
        (**self).view()
    }
}

/// How many tokens truncation took from many rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutCount {
    /// Rows counted.
    pub rows: u64,
    /// Rows that lost at least one token.
    pub cut_rows: u64,
    /// Tokens taken from left entities.
    pub left_tokens: u64,
    /// Tokens taken from right entities.
    pub right_tokens: u64,
}

impl CutCount {
    /// Counts one more row.
    pub fn add(&mut self, cut: Cut) {
        self.rows += 1;
        self.cut_rows += u64::from(cut.any());
        self.left_tokens += u64::from(cut.left);
        self.right_tokens += u64::from(cut.right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_rows_and_tokens() {
        let mut count = CutCount::default();
        for cut in [Cut { left: 0, right: 0 }, Cut { left: 2, right: 0 }, Cut { left: 1, right: 4 }]
        {
            count.add(cut);
        }
        assert_eq!(count, CutCount { rows: 3, cut_rows: 2, left_tokens: 3, right_tokens: 4 });
    }
}
