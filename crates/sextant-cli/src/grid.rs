//! A grid's progress on a terminal, or as plain lines.

use crate::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sextant_lab::{Cell, LabEvent, Role, Watcher, spoken_duration};
use sextant_train::Observer;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::Duration;

/// Shows a bar for the grid and one for the run, or plain lines where there is no terminal.
pub struct Terminal {
    bars: MultiProgress,
    grid: ProgressBar,
    best: Option<(f64, String)>,
}

impl Terminal {
    /// A display on standard error.
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
                    seconds.map_or_else(String::new, |s| {
                        format!("{what} about {}", spoken_duration(s))
                    })
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
                    Role::Single { .. } | Role::EqualSteps { .. } | Role::Pair { .. }
                );
                if let Some(dev) = entry.dev.filter(|_| whole)
                    && self.best.as_ref().is_none_or(|(best, _)| dev > *best)
                {
                    self.best = Some((dev, entry.name.clone()));
                }
                self.line(&format!(
                    "{}: {}dev {}, {} steps in {}",
                    entry.name,
                    entry
                        .test_accuracy
                        .map_or_else(String::new, |found| format!("test accuracy {found:.4}, ")),
                    entry.dev.map_or_else(|| "–".into(), |dev| format!("{dev:.4}")),
                    entry.steps,
                    spoken_duration(entry.seconds)
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
                let about = seconds
                    .map_or_else(String::new, |s| format!(" (about {})", spoken_duration(s)));
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
