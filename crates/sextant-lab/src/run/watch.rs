//! Who watches a grid run: a terminal, a machine, or plain lines.

use super::LedgerEntry;
use crate::Cell;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sextant_train::{Observer, Progress};
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::Duration;

/// Something that happened in a grid.
#[derive(Debug)]
pub enum LabEvent<'a> {
    /// The grid begins, or goes on: so many runs in all, so many of them finished.
    Opened {
        /// Runs in all.
        runs: usize,
        /// Finished before.
        finished: usize,
    },
    /// A run begins.
    Started {
        /// The run.
        cell: &'a Cell,
        /// How long it may take, as far as finished runs tell.
        seconds: Option<f64>,
        /// How long all that are left may take.
        left: Option<f64>,
    },
    /// A run is finished.
    Finished(&'a LedgerEntry),
    /// Another process works on a run; it is passed over, and looked at again later.
    Held {
        /// The run.
        cell: &'a Cell,
        /// Who works on it: `process 1234`.
        holder: &'a str,
    },
    /// Another process has finished a run.
    FinishedElsewhere(&'a LedgerEntry),
    /// Something takes its time: rows are read or answered, or other processes are waited for. Told
    /// again and again, so that a watcher that wants an end is asked soon.
    Busy,
    /// A run does not fit the time that is left.
    OutOfTime {
        /// The run that does not fit.
        cell: &'a Cell,
        /// How long it may take.
        seconds: Option<f64>,
    },
}

/// Hears of a grid's runs, and may end the work on them.
pub trait Watcher {
    /// Called for each event, in order. To break asks for an end, in good order: what is finished is kept.
    fn on_event(&mut self, event: LabEvent<'_>) -> ControlFlow<()>;

    /// Who hears of the run that begins. To break saves its checkpoint and asks for an end as well.
    fn observer(&mut self, cell: &Cell) -> Box<dyn Observer>;
}

/// A bar for the grid and one for the run; plain lines where there is no terminal.
pub struct Terminal {
    bars: MultiProgress,
    grid: ProgressBar,
    best: Option<(f64, String)>,
}

impl Terminal {
    /// On standard error.
    pub fn new() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let grid = bars.add(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template("runs {bar:24} {pos}/{len} {elapsed} {msg}")
        {
            grid.set_style(style.progress_chars("━╸─"));
        }
        Self { bars, grid, best: None }
    }

    fn line(&self, text: &str) {
        if std::io::stderr().is_terminal() {
            // A line that cannot be shown is no reason to end a run.
            let _ = self.bars.println(text);
        } else {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Watcher for Terminal {
    fn on_event(&mut self, event: LabEvent<'_>) -> ControlFlow<()> {
        match event {
            LabEvent::Opened { runs, finished } => {
                self.grid.set_length(runs as u64);
                self.grid.set_position(finished as u64);
                self.grid.enable_steady_tick(Duration::from_secs(1));
                self.line(&format!("{runs} runs, {finished} finished"));
            }
            LabEvent::Started { cell, seconds, left } => {
                let about = |what: &str, seconds: Option<f64>| {
                    seconds.map_or_else(String::new, |s| format!("{what} about {}", duration(s)))
                };
                let best = self.best.as_ref().map_or_else(String::new, |(value, name)| {
                    format!(" best dev {value:.4} {name}")
                });
                self.grid.set_message(format!("{}{best}", about("left", left)));
                let parts = [about("", seconds), about("all left", left)];
                let said = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
                let parts = said.fold(String::new(), |text, part| text + ", " + part);
                self.line(&format!("{} begins{parts}", cell.name()));
            }
            LabEvent::Finished(entry) => {
                self.grid.inc(1);
                let whole = !matches!(
                    entry.role,
                    crate::Role::Single { .. } | crate::Role::EqualSteps { .. }
                );
                if let Some(dev) = entry.dev.filter(|_| whole)
                    && self.best.as_ref().is_none_or(|(best, _)| dev > *best)
                {
                    self.best = Some((dev, entry.name.clone()));
                }
                self.line(&format!(
                    "{}: test accuracy {:.4}, dev {}, {} steps in {}",
                    entry.name,
                    entry.test_accuracy,
                    entry.dev.map_or_else(|| "–".into(), |dev| format!("{dev:.4}")),
                    entry.steps,
                    duration(entry.seconds)
                ));
            }
            LabEvent::Held { cell, holder } => {
                self.line(&format!("{} is trained by {holder}", cell.name()));
            }
            LabEvent::FinishedElsewhere(entry) => {
                self.grid.inc(1);
                self.line(&format!("{} was finished by another process", entry.name));
            }
            LabEvent::Busy => {}
            LabEvent::OutOfTime { cell, seconds } => {
                let about =
                    seconds.map_or_else(String::new, |s| format!(" (about {})", duration(s)));
                self.line(&format!(
                    "{}{about} does not fit the time left; run the same command again to go on",
                    cell.name()
                ));
            }
        }
        ControlFlow::Continue(())
    }

    fn observer(&mut self, cell: &Cell) -> Box<dyn Observer> {
        let bar = self.bars.add(ProgressBar::no_length());
        Box::new(Progress::on(cell.name(), bar))
    }
}

/// A JSON object a line on standard output.
#[derive(Debug, Default)]
pub struct Machine;

struct Nobody;

impl Observer for Nobody {
    fn on_event(&mut self, _event: sextant_train::Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Watcher for Machine {
    fn on_event(&mut self, event: LabEvent<'_>) -> ControlFlow<()> {
        let line = match event {
            LabEvent::Opened { runs, finished } => {
                serde_json::json!({"event": "opened", "runs": runs, "finished": finished})
            }
            LabEvent::Started { cell, seconds, left } => serde_json::json!({
                "event": "started", "run": cell.name(), "seconds": seconds, "left": left,
            }),
            LabEvent::Finished(entry) => serde_json::json!({"event": "finished", "entry": entry}),
            LabEvent::Held { cell, holder } => {
                serde_json::json!({"event": "held", "run": cell.name(), "holder": holder})
            }
            LabEvent::FinishedElsewhere(entry) => {
                serde_json::json!({"event": "finished_elsewhere", "entry": entry})
            }
            LabEvent::Busy => return ControlFlow::Continue(()),
            LabEvent::OutOfTime { cell, seconds } => {
                serde_json::json!({"event": "out_of_time", "run": cell.name(), "seconds": seconds})
            }
        };
        let _ = writeln!(std::io::stdout().lock(), "{line}");
        ControlFlow::Continue(())
    }

    fn observer(&mut self, _cell: &Cell) -> Box<dyn Observer> {
        Box::new(Nobody)
    }
}

/// `12.5 s`, `3 min 20 s`, `1 h 02 min`.
fn duration(seconds: f64) -> String {
    crate::facts::duration(seconds)
}
