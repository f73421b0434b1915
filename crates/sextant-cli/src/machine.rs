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
