//! The events of a grid's run, and who is told of them.

use crate::cell::Cell;
use crate::ledger::LedgerEntry;
use serde_json::{Value, json};
use sextant_train::Observer;
use std::ops::ControlFlow;

/// Something that happened in a grid.
#[derive(Debug)]
pub enum LabEvent<'a> {
    /// The grid begins, or goes on after it was stopped.
    Opened {
        /// Number of runs in all.
        runs: usize,
        /// Number of runs that were finished before.
        finished: usize,
    },
    /// A run begins.
    Started {
        /// The run.
        cell: &'a Cell,
        /// The estimated seconds of the run; `None` if no finished run tells.
        seconds: Option<f64>,
        /// The estimated seconds of all runs that are left; `None` if one of them has no estimate.
        left: Option<f64>,
    },
    /// A run is finished.
    Finished(&'a LedgerEntry),
    /// Another process works on a run; the run is skipped, and looked at again later.
    Held {
        /// The run.
        cell: &'a Cell,
        /// The process that works on it: `process 1234`.
        holder: &'a str,
    },
    /// Another process has finished a run.
    FinishedElsewhere(&'a LedgerEntry),
    /// The work takes a while: rows are read or answered, or other processes are waited for. The event
    /// is repeated, so that a watcher that wants to stop is asked soon.
    Busy,
    /// A run does not fit the time that is left.
    OutOfTime {
        /// The run that does not fit.
        cell: &'a Cell,
        /// The estimated seconds of the run.
        seconds: Option<f64>,
    },
}

impl LabEvent<'_> {
    /// The event as an object whose key `event` names it; none for [`LabEvent::Busy`].
    pub fn to_json(&self) -> Option<Value> {
        Some(match self {
            Self::Opened { runs, finished } => {
                json!({"event": "opened", "runs": runs, "finished": finished})
            }
            Self::Started { cell, seconds, left } => json!({
                "event": "started", "run": cell.name(), "seconds": seconds, "left": left,
            }),
            Self::Finished(entry) => json!({"event": "finished", "entry": entry}),
            Self::Held { cell, holder } => {
                json!({"event": "held", "run": cell.name(), "holder": holder})
            }
            Self::FinishedElsewhere(entry) => {
                json!({"event": "finished_elsewhere", "entry": entry})
            }
            Self::Busy => return None,
            Self::OutOfTime { cell, seconds } => {
                json!({"event": "out_of_time", "run": cell.name(), "seconds": seconds})
            }
        })
    }
}

/// Is told of the events of a grid's runs, and may stop the work on them.
pub trait Watcher {
    /// Called for each event, in order. A break asks the work to stop in good order: what is finished is
    /// kept.
    fn on_event(&mut self, event: LabEvent<'_>) -> ControlFlow<()>;

    /// The observer of the run that begins. If it breaks, the run saves a checkpoint, and the work stops
    /// as well.
    fn observer(&mut self, cell: &Cell) -> Box<dyn Observer>;
}
