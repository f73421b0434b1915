//! A grid's progress for other programs.

use sextant_lab::{Cell, LabEvent, Watcher};
use sextant_train::{Event, Observer};
use std::io::Write;
use std::ops::ControlFlow;

/// Writes each event as a line of JSON to standard output.
#[derive(Debug, Default)]
pub struct Machine;

/// Ignores the events of a run, whose steps are in its log.
struct Nobody;

impl Observer for Nobody {
    fn on_event(&mut self, _event: Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Watcher for Machine {
    fn on_event(&mut self, event: LabEvent<'_>) -> ControlFlow<()> {
        if let Some(line) = event.to_json() {
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
        ControlFlow::Continue(())
    }

    fn observer(&mut self, _cell: &Cell) -> Box<dyn Observer> {
        Box::new(Nobody)
    }
}
