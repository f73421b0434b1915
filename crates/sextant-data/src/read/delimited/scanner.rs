//! Splits bytes into rows of cells, strictly.
//!
//! The `csv` crate accepts everything: it takes text after a closing quote into the cell, and if a cell
//! opens with an inch mark, it takes all rows up to the next inch mark into that cell. Here each of these
//! is a [`Fault`] that says where the cell opened. A fault ends the reading, since it is uncertain where
//! the next row starts.

use super::cells::Cells;
use super::fault::Fault;
use super::shape::Shape;
use super::swallowed::RowLines;
use crate::error::FaultKind;
use crate::read_options::Quoting;
use std::io::BufRead;

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    pub(super) quoting: Quoting,
    /// Whether the user has stated how cells are quoted. If so, a cell of several lines is accepted even if
    /// its lines look like rows.
    pub(super) stated: bool,
    /// The most bytes of one row.
    pub(super) max_row_bytes: usize,
}

/// Reads rows from text.
pub(super) struct Scanner<R> {
    input: R,
    machine: Machine,
}

impl<R: BufRead> Scanner<R> {
    pub(super) fn new(input: R, dialect: Dialect) -> Self {
        Self { input, machine: Machine::new(dialect) }
    }

    /// From now on, reports rows that a stray quote swallows.
    pub(super) fn watch(&mut self, shape: Shape) {
        self.machine.shape = Some(shape);
    }

    /// The next row that is not a blank line; `None` at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<&Cells>, Fault> {
        self.machine.begin_row();
        loop {
            let chunk = self.input.fill_buf().map_err(Fault::Read)?;
            if chunk.is_empty() {
                let whole = self.machine.end_of_text()?;
                return Ok(whole.then_some(&self.machine.cells));
            }
            let (used, whole) = self.machine.feed(chunk)?;
            self.input.consume(used);
            if whole {
                return Ok(Some(&self.machine.cells));
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScannerState {
    /// Before the first byte of a cell.
    Start,
    /// In a cell without quotes.
    Bare,
    /// After an opening quote.
    Quoted,
    /// After a backslash in a quoted cell.
    Escaped,
    /// After a quote in a quoted cell, which either closes the cell or is the first of two that stand for
    /// one.
    Closed,
}

struct Machine {
    dialect: Dialect,
    shape: Option<Shape>,
    state: ScannerState,
    cells: Cells,
    /// The line of the next byte.
    line: u64,
    /// Whether the last byte was `\r`, so that a `\n` after it belongs to the same line end.
    after_return: bool,
    /// The number of bytes of this row so far.
    size: usize,
    /// The line and the cell in which the quote of the current or last quoted cell opened.
    opened: (u64, usize),
    /// The line of the last quote in that cell that may have closed it.
    closed_line: u64,
    /// Whether a quote in that cell came right after a backslash.
    backslash: bool,
    lines: RowLines,
    /// The line and the cell in which the row's first cell of several lines opened.
    spanning: Option<(u64, usize)>,
}

impl Machine {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            shape: None,
            state: ScannerState::Start,
            cells: Cells::default(),
            line: 1,
            after_return: false,
            size: 0,
            opened: (1, 0),
            closed_line: 1,
            backslash: false,
            lines: RowLines::default(),
            spanning: None,
        }
    }

    fn begin_row(&mut self) {
        self.state = ScannerState::Start;
        self.cells.begin(self.line);
        self.size = 0;
        self.lines = RowLines::default();
        self.spanning = None;
    }

    /// Reads bytes up to the end of the row. Gives how many were read, and whether the row is complete.
    fn feed(&mut self, chunk: &[u8]) -> Result<(usize, bool), Fault> {
        let separator = self.dialect.separator;
        let escapes = self.dialect.quoting == Quoting::Backslash;
        let mut at = 0;
        // The bytes before this index were passed to `lines`, which must have them before it is told of a
        // line end.
        let mut shown = 0;
        while at < chunk.len() {
            let byte = chunk[at];
            if std::mem::take(&mut self.after_return) && byte == b'\n' {
                if self.state == ScannerState::Quoted {
                    self.cells.push(byte);
                    self.lines.start_at(self.cells.bytes());
                }
                at += 1;
                continue;
            }
            match self.state {
                ScannerState::Start if byte == b'"' && self.dialect.quoting != Quoting::None => {
                    self.opened = (self.line, self.cells.len());
                    self.backslash = false;
                    self.state = ScannerState::Quoted;
                    at += 1;
                }
                ScannerState::Start | ScannerState::Bare => {
                    let plain = |&byte: &u8| byte != separator && byte != b'\n' && byte != b'\r';
                    let run = chunk[at..].iter().take_while(|byte| plain(byte)).count();
                    self.cells.extend(&chunk[at..at + run]);
                    at += run;
                    if run > 0 {
                        self.state = ScannerState::Bare;
                    }
                    if let Some(&byte) = chunk.get(at) {
                        self.show(&chunk[shown..at], &mut shown);
                        at += 1;
                        if self.end_of_cell(byte)? {
                            return self.bounded(at).map(|()| (at, true));
                        }
                    }
                }
                ScannerState::Quoted => {
                    let plain = |&byte: &u8| {
                        let ends_line = byte == b'\n' || byte == b'\r';
                        byte != b'"' && byte != separator && !ends_line && byte != b'\\'
                    };
                    let run = chunk[at..].iter().take_while(|byte| plain(byte)).count();
                    self.cells.extend(&chunk[at..at + run]);
                    at += run;
                    if let Some(&byte) = chunk.get(at) {
                        if byte == b'\n' || byte == b'\r' {
                            self.show(&chunk[shown..at], &mut shown);
                        }
                        at += 1;
                        self.quoted(byte, escapes);
                    }
                }
                ScannerState::Escaped => {
                    // A backslash before any other byte than a quote or a backslash is an ordinary character.
                    if byte == b'"' || byte == b'\\' {
                        self.cells.push(byte);
                        at += 1;
                    } else {
                        self.cells.push(b'\\');
                    }
                    self.state = ScannerState::Quoted;
                }
                ScannerState::Closed if byte == b'"' => {
                    self.cells.push(byte);
                    self.state = ScannerState::Quoted;
                    at += 1;
                }
                ScannerState::Closed => {
                    self.show(&chunk[shown..at], &mut shown);
                    at += 1;
                    if self.end_of_cell(byte)? {
                        return self.bounded(at).map(|()| (at, true));
                    }
                }
            }
        }
        self.show(&chunk[shown..at], &mut shown);
        self.bounded(at).map(|()| (at, false))
    }

    /// Passes bytes to `lines`, and adds their number to `shown`.
    fn show(&mut self, bytes: &[u8], shown: &mut usize) {
        self.lines.raw(bytes, self.shape, self.dialect.separator);
        *shown += bytes.len();
    }

    /// Reads a byte of a quoted cell that may have a meaning: a quote, a separator, a line end or a
    /// backslash.
    fn quoted(&mut self, byte: u8, escapes: bool) {
        match byte {
            b'"' => {
                self.backslash |= self.cells.open().last() == Some(&b'\\');
                self.closed_line = self.line;
                self.state = ScannerState::Closed;
                return;
            }
            b'\\' if escapes => {
                self.state = ScannerState::Escaped;
                return;
            }
            _ => {}
        }
        let separator = self.dialect.separator;
        if byte == separator {
            self.lines.separator(&self.cells, self.shape, false);
        } else if byte == b'\n' || byte == b'\r' {
            self.lines.line_end(&self.cells, self.shape, (self.line, self.opened.0), separator);
            self.spanning.get_or_insert(self.opened);
            self.count_line(byte);
        }
        self.cells.push(byte);
        if byte != b'\\' {
            self.lines.start_at(self.cells.bytes());
        }
    }

    /// Reads the byte after a cell. True if it ends the row.
    fn end_of_cell(&mut self, byte: u8) -> Result<bool, Fault> {
        if byte == self.dialect.separator {
            self.lines.separator(&self.cells, self.shape, true);
            self.cells.end_cell(self.shape.map(|shape| shape.columns));
            self.lines.start_at(self.cells.bytes());
            self.state = ScannerState::Start;
            return Ok(false);
        }
        if byte != b'\n' && byte != b'\r' {
            return Err(self.fault(FaultKind::TextAfterQuote { line: self.closed_line }));
        }
        let blank = self.state == ScannerState::Start && self.cells.len() == 0;
        if !blank {
            self.end_of_row()?;
        }
        self.count_line(byte);
        if blank {
            self.cells.line = self.line;
        }
        Ok(!blank)
    }

    fn end_of_row(&mut self) -> Result<(), Fault> {
        let swallowed = self.lines.row_end(&self.cells, self.shape, self.line);
        self.cells.end_cell(self.shape.map(|shape| shape.columns));
        match swallowed {
            Some(line) if !self.dialect.stated => Err(self.fault(FaultKind::HoldsRows { line })),
            _ => Ok(()),
        }
    }

    /// Ends the last row. False if there is none.
    fn end_of_text(&mut self) -> Result<bool, Fault> {
        match self.state {
            ScannerState::Start if self.cells.len() == 0 => Ok(false),
            ScannerState::Quoted | ScannerState::Escaped => Err(self.fault(FaultKind::Unclosed)),
            ScannerState::Start | ScannerState::Bare | ScannerState::Closed => {
                self.end_of_row().map(|()| true)
            }
        }
    }

    /// Counts a line end. It is not called for the `\n` of `\r\n`.
    fn count_line(&mut self, byte: u8) {
        self.line += 1;
        self.after_return = byte == b'\r';
    }

    fn bounded(&mut self, bytes: usize) -> Result<(), Fault> {
        self.size += bytes;
        let limit = self.dialect.max_row_bytes;
        if self.size <= limit {
            return Ok(());
        }
        Err(match self.state {
            ScannerState::Quoted | ScannerState::Escaped => {
                self.fault(FaultKind::TooLong { limit })
            }
            _ => Fault::RowTooLong { line: self.cells.line, limit },
        })
    }

    fn fault(&self, kind: FaultKind) -> Fault {
        let spanning = matches!(kind, FaultKind::HoldsRows { .. }).then_some(self.spanning);
        let (line, cell) = spanning.flatten().unwrap_or(self.opened);
        Fault::Quote { line, cell, backslash: self.backslash, kind }
    }
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
