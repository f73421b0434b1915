//! Makes rows of other programs' tables, as a map says.
//!
//! A map ([`ImportMap`]) names columns; the plan gives each its place and finds mistakes before
//! anything is read. The ratings are read for their keys where tables are joined, then for the grades of several raters
//! where these become one, then for the rows. A joined table is read once, after the keys; of it, only the rows that
//! are needed are kept, in a temporary file, and memory has their places alone. So an import takes memory by the number
//! of pairs and products, and not by their texts.

mod advice;
mod columns;
mod condition;
mod digest;
mod draft;
mod error;
mod gather;
mod guess;
mod join;
mod label;
mod language;
mod map;
mod pair;
mod plan;
mod report;
mod run;
mod side;
mod side_spec;
mod table;
mod text;
mod watch;

pub use draft::{ColumnLook, Draft, DraftLabels, DraftSide, TableLook};
pub use error::ImportError;
pub use gather::RaterReport;
pub use guess::{is_no_label, likely_grades, likely_scale};
pub use map::*;
pub use report::ImportReport;
pub use run::{ImportOptions, import};
pub use side_spec::*;
pub use watch::Progress;
