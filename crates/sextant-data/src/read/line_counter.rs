//! The line on which a CSV row starts.
//!
//! The `csv` crate counts the lines of blank rows, and the second byte of `\r\n`, to the row that
//! follows them. People look for the row in an editor, so the count has to be the editor's.

use std::collections::VecDeque;
use std::io::Read;

/// Passes bytes on and remembers where the lines end that nobody has asked about yet.
pub(super) struct LineCounter<R> {
    inner: R,
    offset: u64,
    previous: u8,
    last_text: u8,
    /// Offset of each `\n`, and whether a `\r` stands before it.
    ends: VecDeque<(u64, bool)>,
    lines: u64,
}

impl<R> LineCounter<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, offset: 0, previous: 0, last_text: 0, ends: VecDeque::new(), lines: 0 }
    }

    /// The line, from 1, of the first text at or after `start`. Starts must not decrease.
    pub(super) fn line_at(&mut self, mut start: u64) -> u64 {
        while let Some(&(end, after_return)) = self.ends.front() {
            let blank = end == start || (end == start + 1 && after_return);
            if end >= start && !blank {
                break;
            }
            start = start.max(end + 1);
            self.ends.pop_front();
            self.lines += 1;
        }
        self.lines + 1
    }

    /// The last byte so far that belongs to no line end.
    pub(super) fn last_text(&self) -> u8 {
        self.last_text
    }
}

impl<R: Read> Read for LineCounter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        for &byte in &buffer[..count] {
            if byte == b'\n' {
                self.ends.push_back((self.offset, self.previous == b'\r'));
            } else if byte != b'\r' {
                self.last_text = byte;
            }
            self.previous = byte;
            self.offset += 1;
        }
        Ok(count)
    }
}
