//! The end of the test runner's output, held back.

use std::io::{BufRead, Write};

/// The newest summary of a test runner, with the empty lines after it. It is held back until other
/// output follows, so that other things can be printed before the last summary, and no line is printed
/// twice.
#[derive(Debug, Default)]
pub(super) struct Held(String);

impl Held {
    /// Passes lines on as they come, but for the newest summary.
    pub(super) fn pass(
        &mut self,
        mut lines: impl BufRead,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        // Bytes, because a test may print what is no UTF-8.
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            if text.starts_with("test result:") {
                self.release(out)?;
                self.0.push_str(&text);
            } else if !self.0.is_empty() && text.trim().is_empty() {
                self.0.push_str(&text);
            } else {
                self.release(out)?;
                out.write_all(&line)?;
                out.flush()?;
            }
            line.clear();
        }
        Ok(())
    }

    /// Writes what was held back.
    pub(super) fn release(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        out.write_all(std::mem::take(&mut self.0).as_bytes())?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_order_and_the_last_summary_is_held() {
        let said = "running 1 test\ntest result: ok. 1\n\nrunning 2 tests\ntest a ... ok\ntest result: ok. 2\n\n";
        let (mut held, mut out) = (Held::default(), Vec::new());
        held.pass(said.as_bytes(), &mut out).unwrap();
        let kept = "test result: ok. 2\n\n";
        assert_eq!(String::from_utf8_lossy(&out), said.strip_suffix(kept).unwrap());
        held.release(&mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), said);
    }
}
