//! The shape of a file's rows: the number of columns, and a column by which rows are recognized.

use sextant_core::{Grade, Task};

/// The facts by which a row is told from a line of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) columns: usize,
    /// A column in which every row has a name that a text is unlikely to have by chance.
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
