//! Makes rows of other programs' tables, as a map says.
//!
//! A map ([`ImportMap`]) names columns; [`Plan`](plan::Plan) gives each its place and finds mistakes before
//! anything is read. The ratings are read twice where tables are joined or grades of several raters become one:
//! first for the keys and the grades, then for the rows. A joined table is read once in between; of it, only
//! the rows that are needed are kept, in a temporary file, and memory has their places alone. So an import takes
//! memory by the number of pairs and products, and not by their texts.

mod columns;
mod condition;
mod digest;
mod draft;
mod error;
mod gather;
mod join;
mod label;
mod language;
mod map;
mod plan;
mod report;
mod run;
mod side;
mod side_spec;
mod table;

pub use draft::{ColumnLook, Draft, DraftLabels, DraftSide, TableLook, likely_grades};
pub use error::ImportError;
pub use gather::RaterReport;
pub use map::*;
pub use report::ImportReport;
pub use run::{ImportOptions, import};
pub use side_spec::*;

use crate::clean::{collapse, plain_text};
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
struct Watch<'a>(&'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>);

impl Watch<'_> {
    fn say(&mut self, progress: Progress<'_>) -> Result<(), ImportError> {
        match (self.0)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ImportError::Stopped),
        }
    }

    fn table(&mut self, name: &str) -> Result<(), ImportError> {
        self.say(Progress::Table(name))
    }

    fn rows(&mut self, rows: usize) -> Result<(), ImportError> {
        self.say(Progress::Rows(rows))
    }
}

/// A text as the map wants it: without HTML unless it says otherwise, with single spaces.
fn clean(text: &str, spec: &TextSpec) -> String {
    if spec.html && text.contains(['<', '&']) { plain_text(text) } else { collapse(text) }
}
