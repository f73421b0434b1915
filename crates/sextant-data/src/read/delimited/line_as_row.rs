//! Reads text inside a quoted cell, from the start of one of its lines, as if a row started there.

use super::shape::Shape;

/// The most bytes that are kept of the key column's text. Names of tasks and grades are shorter, even with
/// some white space around them.
const KEY_BYTES: usize = 64;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum LineState {
    /// Before the first byte of a cell.
    #[default]
    Start,
    /// In a cell without quotes.
    Bare,
    /// After an opening quote.
    Quoted,
    /// After a quote in a quoted cell, which either closes the cell or is the first of two that stand for
    /// one.
    Closed,
    /// After text that follows a closing quote, so that the line cannot be the start of a row.
    Broken,
}

/// A line read as a row with quotes of its own, together with the lines after it as long as a quoted cell
/// continues.
#[derive(Debug, Default)]
pub(super) struct LineAsRow {
    state: LineState,
    /// The number of cells that have ended.
    ended: usize,
    /// The beginning of the key column's text.
    key: Vec<u8>,
    /// Whether the key column holds a name of a task or a grade, whichever it is the column of.
    has_key: bool,
}

impl LineAsRow {
    /// Reads the next bytes of the line.
    pub(super) fn feed(&mut self, bytes: &[u8], shape: Shape, separator: u8) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (LineState::Broken, _) => return,
                // Line ends are skipped; the bytes include the one before this line.
                (_, b'\n' | b'\r') => continue,
                (LineState::Start, b'"') => LineState::Quoted,
                (LineState::Quoted, b'"') => LineState::Closed,
                (LineState::Start | LineState::Bare | LineState::Closed, byte)
                    if byte == separator =>
                {
                    self.look_at_key(shape);
                    self.ended += 1;
                    LineState::Start
                }
                (LineState::Closed, b'"') | (LineState::Quoted, _) => {
                    self.keep(byte, shape);
                    LineState::Quoted
                }
                (LineState::Closed, _) => LineState::Broken,
                (LineState::Start | LineState::Bare, _) => {
                    self.keep(byte, shape);
                    LineState::Bare
                }
            };
        }
    }

    /// Ends the line here, and says whether it has as many cells as the file has columns.
    pub(super) fn is_full(&mut self, shape: Shape) -> bool {
        self.look_at_key(shape);
        let whole = !matches!(self.state, LineState::Quoted | LineState::Broken);
        whole && self.ended + 1 == shape.columns
    }

    /// Whether the line ends inside a quoted cell.
    pub(super) fn is_open(&self) -> bool {
        self.state == LineState::Quoted
    }

    /// Whether the key column holds a name of a task or a grade, whichever it is the column of.
    pub(super) fn has_key(&self) -> bool {
        self.has_key
    }

    fn is_at_key(&self, shape: Shape) -> bool {
        shape.key.is_some_and(|key| key.column == self.ended)
    }

    fn keep(&mut self, byte: u8, shape: Shape) {
        if self.is_at_key(shape) && self.key.len() <= KEY_BYTES {
            self.key.push(byte);
        }
    }

    fn look_at_key(&mut self, shape: Shape) {
        if let Some(key) = shape.key
            && self.is_at_key(shape)
        {
            self.has_key = self.key.len() <= KEY_BYTES && key.is_in(&self.key);
        }
    }
}
