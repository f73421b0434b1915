//! Errors about the quotes of a file, with advice on how to mend them.

use super::bytes;
use std::fmt::{Display, Formatter};
use std::path::PathBuf;

/// What is wrong with a quoted cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Text follows the quote that closes the cell.
    TextAfterQuote {
        /// The line of the closing quote.
        line: u64,
    },
    /// The file ends inside the cell.
    Unclosed,
    /// The cell is longer than a row may be.
    TooLong { limit: usize },
    /// Lines inside the cell look like rows.
    HoldsRows {
        /// The first of these lines.
        line: u64,
    },
}

/// A quoted cell after which it is uncertain where the next row of the file starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteError {
    pub(crate) path: PathBuf,
    /// The line on which the cell opens.
    pub(crate) line: u64,
    pub(crate) cell: usize,
    pub(crate) column: Option<String>,
    pub(crate) backslash: bool,
    pub(crate) kind: FaultKind,
}

impl QuoteError {
    /// The line on which the cell opens, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }
}

impl std::error::Error for QuoteError {}

impl QuoteError {
    /// What is wrong with the cell, without the file, the line and the advice.
    pub(crate) fn finding(&self) -> String {
        let cell = match &self.column {
            Some(name) => format!("column `{name}`"),
            None => format!("cell {}", self.cell + 1),
        };
        let what = match self.kind {
            FaultKind::TextAfterQuote { line } if line == self.line => {
                "and goes on after the quote that closes it".to_owned()
            }
            FaultKind::TextAfterQuote { line } => {
                format!("whose next quote, on line {line}, is followed by text")
            }
            FaultKind::Unclosed => "that is never closed".to_owned(),
            FaultKind::TooLong { limit } => {
                format!("that is not closed within {}", bytes(limit))
            }
            FaultKind::HoldsRows { line } => {
                format!("and holds lines that look like rows, such as line {line}")
            }
        };
        format!("{cell}: the cell opens with a quote {what}")
    }
}

/// How the reader of a file can be told about its quotes, in words that continue a sentence.
pub(crate) struct Advice {
    /// Backslashes stand before quotes.
    backslash: &'static str,
    /// Quotes are ordinary characters.
    none: &'static str,
    /// Quotes are as in most files.
    rfc4180: &'static str,
    /// Rows are longer than expected.
    longer: &'static str,
}

impl Advice {
    /// For commands with options and for recipes.
    const OPTIONS: Self = Self {
        backslash: "read the file with --quoting backslash (`data.quoting` in a recipe)",
        none: "read the file with --quoting none (`data.quoting` in a recipe)",
        rfc4180: "say --quoting rfc4180",
        longer: "raise --max-row-bytes (`data.max_row_bytes` in a recipe)",
    };
    /// For the tables of an import's map.
    pub(crate) const MAP: Self = Self {
        backslash: "say `quoting = \"backslash\"` for this table in the map",
        none: "say `quoting = \"none\"` for this table in the map",
        rfc4180: "say `quoting = \"rfc4180\"` for this table in the map",
        longer: "shorten it, because an import reads no longer ones",
    };
}

impl QuoteError {
    /// What to do about the cell, after a semicolon.
    pub(crate) fn advice(&self, advice: &Advice) -> String {
        let Advice { backslash, none, rfc4180, longer } = advice;
        if self.backslash {
            return format!("; quotes inside cells are written `\\\"` here: {backslash}");
        }
        let further = match self.kind {
            FaultKind::HoldsRows { .. } => {
                format!("if the cell really has all these lines, {rfc4180}")
            }
            FaultKind::TooLong { .. } => format!("if the cell really is so long, {longer}"),
            FaultKind::TextAfterQuote { .. } => "else double the quotes inside the cell".to_owned(),
            FaultKind::Unclosed => {
                "else close it, and double the quotes inside the cell".to_owned()
            }
        };
        format!("; if quotes are ordinary characters here, such as inch marks, {none}; {further}")
    }
}

impl Display for QuoteError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let advice = self.advice(&Advice::OPTIONS);
        write!(f, "{} line {}, {}{advice}", self.path.display(), self.line, self.finding())
    }
}
