//! Reads text line by line, with a bound on the length of a line.

use std::io::{BufRead, Result};

/// Reads lines that end in `\n`, `\r\n` or `\r`, as an editor counts them.
pub(super) struct Lines<R> {
    input: R,
    limit: usize,
    bytes: Vec<u8>,
    after_return: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R, limit: usize) -> Self {
        Self { input, limit, bytes: Vec::new(), after_return: false }
    }

    /// The line that was read last, without its line end.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads the next line; `None` at the end of the text. `Some(false)` says that the line is longer than
    /// the limit, and that its bytes were skipped.
    pub(super) fn advance(&mut self) -> Result<Option<bool>> {
        self.bytes.clear();
        let (mut any, mut too_long) = (false, false);
        loop {
            let mut chunk = self.input.fill_buf()?;
            if std::mem::take(&mut self.after_return) && chunk.first() == Some(&b'\n') {
                self.input.consume(1);
                chunk = self.input.fill_buf()?;
            }
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|&byte| byte == b'\n' || byte == b'\r');
            let text = &chunk[..end.unwrap_or(chunk.len())];
            too_long |= self.bytes.len() + text.len() > self.limit;
            if !too_long {
                self.bytes.extend_from_slice(text);
            }
            self.after_return = end.is_some_and(|end| chunk[end] == b'\r');
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        Ok(any.then_some(!too_long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn every_line_end_counts_once_whatever_the_buffer() {
        let text = b"a\nb\r\n\rcc\r\n\nlonger than five\nd";
        for capacity in [1, 2, 3, 100] {
            let mut lines = Lines::new(BufReader::with_capacity(capacity, &text[..]), 5);
            let mut seen = Vec::new();
            while let Some(whole) = lines.advance().unwrap() {
                let text = if whole { lines.text() } else { b"TOO LONG" };
                seen.push(String::from_utf8(text.to_vec()).unwrap());
            }
            assert_eq!(seen, ["a", "b", "", "cc", "", "TOO LONG", "d"], "{capacity}");
        }
    }
}
