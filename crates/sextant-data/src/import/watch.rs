//! Who hears how far an import has come.

use super::ImportError;
use std::ops::ControlFlow;

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A table is about to be read.
    Table(&'a str),
    /// So many further rows of it were read.
    Rows(usize),
}

/// Tells the observer, and turns its wish to stop into an error.
pub(super) struct Watch<'a>(pub(super) &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>);

impl Watch<'_> {
    fn say(&mut self, progress: Progress<'_>) -> Result<(), ImportError> {
        match (self.0)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ImportError::Stopped),
        }
    }

    pub(super) fn table(&mut self, name: &str) -> Result<(), ImportError> {
        self.say(Progress::Table(name))
    }

    pub(super) fn rows(&mut self, rows: usize) -> Result<(), ImportError> {
        self.say(Progress::Rows(rows))
    }
}
