//! The text from a line inside a quoted cell on, read as if a row started there.

use super::shape::Shape;

/// The longest text of a key column that is looked at: names of tasks and grades are shorter, also with
/// some white space around them.
const KEY_BYTES: usize = 64;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Before the first byte of a cell.
    #[default]
    Start,
    /// In a cell without quotes.
    Bare,
    /// After an opening quote.
    Quoted,
    /// After a quote in a quoted cell, which closes it or is doubled.
    Closed,
    /// Text follows a closing quote: no row starts here.
    Broken,
}

/// What a line, with those after it while a quoted cell goes on, would be as a row with quotes of its own.
#[derive(Debug, Default)]
pub(super) struct LineAsRow {
    state: State,
    /// Cells that have ended.
    ended: usize,
    /// The beginning of the key column's text.
    key: Vec<u8>,
    /// Whether the key column holds a name of its kind.
    has_key: bool,
}

impl LineAsRow {
    /// Takes the line's next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8], shape: Shape, separator: u8) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Broken, _) => return,
                // What is left of `\r\n`.
                (_, b'\n' | b'\r') => continue,
                (State::Start, b'"') => State::Quoted,
                (State::Quoted, b'"') => State::Closed,
                (State::Start | State::Bare | State::Closed, byte) if byte == separator => {
                    self.look_at_key(shape);
                    self.ended += 1;
                    State::Start
                }
                (State::Closed, b'"') | (State::Quoted, _) => {
                    self.keep(byte, shape);
                    State::Quoted
                }
                (State::Closed, _) => State::Broken,
                (State::Start | State::Bare, _) => {
                    self.keep(byte, shape);
                    State::Bare
                }
            };
        }
    }

    /// Whether the line, which ends here, has as many cells as the file has columns.
    pub(super) fn is_full(&mut self, shape: Shape) -> bool {
        self.look_at_key(shape);
        let whole = !matches!(self.state, State::Quoted | State::Broken);
        whole && self.ended + 1 == shape.columns
    }

    /// Whether the line ends inside a quoted cell.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Quoted
    }

    /// Whether the key column holds a name of its kind.
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
