//! Who watches a grid run.

use crate::cell::Cell;
use crate::ledger::LedgerEntry;
use sextant_train::Observer;
use std::ops::ControlFlow;

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
