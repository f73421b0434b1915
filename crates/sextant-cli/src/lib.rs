//! What programs of this workspace show while they train.
//!
//! Libraries neither draw nor print: they tell an [`Observer`](sextant_train::Observer) or a
//! [`Watcher`](sextant_lab::Watcher) what happens. This crate has the observers and watchers that inform
//! people and other programs. [`Progress`] shows one run on standard error, [`Terminal`] a grid of runs,
//! both as bars on a terminal and as plain lines in a log; [`Machine`] writes a grid's events to
//! standard output as JSON, one line per event. Only programs depend on this crate.

mod grid;
mod machine;
mod run;

pub use grid::Terminal;
pub use machine::Machine;
pub use run::Progress;
