//! What rows of a file look like.

use sextant_core::{Grade, Task};

/// What tells rows from the lines of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) columns: usize,
    /// A column in which rows hold a name that a text does not hold by chance.
    pub(super) key: Option<Key>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) column: usize,
    pub(super) kind: KeyKind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum KeyKind {
    Task,
    Grade,
}

impl Key {
    pub(super) fn is_in(self, field: &[u8]) -> bool {
        let text = std::str::from_utf8(field).unwrap_or_default().trim().trim_matches('"');
        match self.kind {
            KeyKind::Task => text.parse::<Task>().is_ok(),
            KeyKind::Grade => text.parse::<Grade>().is_ok(),
        }
    }
}
