//! The progress of a command that works through rows: a bar on a terminal, lines in a log.

use crate::say::complain;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// The time between two lines in a log.
const INTERVAL: Duration = Duration::from_secs(10);

/// Counts rows and shows their number on standard error.
pub(crate) enum RowProgress {
    /// On a terminal: a line that is drawn again and again.
    Bar(ProgressBar),
    /// In a log: lines from time to time.
    Lines(Lines),
}

/// Decides when to write a line, and what it says.
pub(crate) struct Lines {
    /// What is done with rows.
    done: &'static str,
    /// What the rows are of; empty where there is one input only.
    task: String,
    rows: u64,
    start: Instant,
    said: Instant,
}

impl RowProgress {
    /// Starts counting rows that are `done`: scored, read.
    pub(crate) fn new(done: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines(Lines::new(done, Instant::now()));
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {msg}{pos} rows {per_sec} {elapsed}")
        {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// Starts again with the rows of another input.
    pub(crate) fn task(&mut self, name: &str) {
        match self {
            Self::Bar(bar) => {
                bar.reset();
                bar.set_message(format!("{name}: "));
            }
            Self::Lines(lines) => {
                *lines =
                    Lines { task: format!("{name}: "), ..Lines::new(lines.done, Instant::now()) };
            }
        }
    }

    /// Counts `rows` further rows. With 0 it only writes a line if one is due.
    pub(crate) fn add(&mut self, rows: usize) {
        match self {
            Self::Bar(bar) => bar.inc(rows as u64),
            Self::Lines(lines) => {
                if let Some(line) = lines.add(rows, Instant::now()) {
                    complain(&line);
                }
            }
        }
    }

    /// Clears what was drawn.
    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn new(done: &'static str, now: Instant) -> Self {
        Self { done, task: String::new(), rows: 0, start: now, said: now }
    }

    /// Counts rows, and returns the line to write if it is time for one.
    fn add(&mut self, rows: usize, now: Instant) -> Option<String> {
        self.rows += rows as u64;
        if now.duration_since(self.said) < INTERVAL {
            return None;
        }
        self.said = now;
        let seconds = now.duration_since(self.start).as_secs_f64();
        let rate = self.rows as f64 / seconds;
        let Self { done, task, rows, .. } = self;
        Some(format!("{task}{rows} rows {done}, {rate:.0} rows/s, {seconds:.0} s"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_every_ten_seconds() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lines = Lines::new("scored", start);
        assert_eq!(lines.add(500, at(4)), None);
        assert_eq!(lines.add(500, at(10)).unwrap(), "1000 rows scored, 100 rows/s, 10 s");
        assert_eq!(lines.add(500, at(19)), None);
        assert_eq!(lines.add(0, at(20)).unwrap(), "1500 rows scored, 75 rows/s, 20 s");
    }
}
