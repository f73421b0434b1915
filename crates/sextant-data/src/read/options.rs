//! How to read rows.

use crate::{Encoding, Format};
use sextant_core::Task;

/// How to read rows.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The format, where the name of the input does not say it.
    pub format: Option<Format>,
    /// How text files stand for characters.
    pub encoding: Encoding,
    /// The task of rows that name none.
    pub default_task: Option<Task>,
    /// What columns other than `task`, `left` and `right` are to the reader.
    pub labels: Labels,
}

/// What columns other than `task`, `left` and `right` are to the reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Labels {
    /// Columns of somebody else's, whatever they are called: they pass through as they are. So a
    /// `weight` may be a parcel's and a `grade` a school's. Scoring reads rows like this.
    Foreign,
    /// They mean what `docs/data-format.md` says, and a row may be without a grade.
    #[default]
    Optional,
    /// A row without a grade is an error.
    Required,
}
