//! How to read rows.

use crate::format::{Encoding, Format};
use serde::{Deserialize, Serialize};
use sextant_core::{Task, UnknownName};
use std::str::FromStr;

/// How to read rows.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// The format; if `None`, it is recognized by the name of the input.
    pub format: Option<Format>,
    /// The character encoding of text files.
    pub encoding: Encoding,
    /// How cells of CSV and TSV are quoted. If `None`, they are read as [`Quoting::Rfc4180`], and a cell of
    /// several lines is refused if some of its lines look like rows that a stray quote has made part of the
    /// cell.
    pub quoting: Option<Quoting>,
    /// The character that separates cells; if `None`, that of the format.
    pub separator: Option<Separator>,
    /// The most bytes that a row of text may have. A file with an endless row or an unclosed quote takes
    /// about this much memory.
    pub max_row_bytes: usize,
    /// The task of rows that do not name a task.
    pub default_task: Option<Task>,
    /// Whether rows need a grade.
    pub labels: Labels,
    /// Whether rows keep the columns that have no meaning, in [`Row::further`](crate::Row::further).
    pub further: bool,
    /// Whether the rows are those of another program's table, in which no column is needed.
    pub any_columns: bool,
}

impl ReadOptions {
    /// The default bound of a row: 16 MiB.
    pub const MAX_ROW_BYTES: usize = 16 << 20;
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            encoding: Encoding::default(),
            quoting: None,
            separator: None,
            max_row_bytes: Self::MAX_ROW_BYTES,
            default_task: None,
            labels: Labels::default(),
            further: false,
            any_columns: false,
        }
    }
}

/// Whether rows need a grade. A [`BatchReader`](crate::BatchReader) does not look at the grades of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Labels {
    /// A row may lack a grade.
    #[default]
    Optional,
    /// A row without a grade is an error.
    Required,
}

/// How cells of CSV and TSV are quoted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quoting {
    /// A cell that opens with a quote ends at the next quote; quotes inside are doubled.
    #[default]
    Rfc4180,
    /// As [`Quoting::Rfc4180`]; in addition, a backslash makes a quote or a backslash after it an ordinary
    /// character. Spark writes its files like this.
    Backslash,
    /// Quotes are ordinary characters; no cell holds a separator or a line end.
    None,
}

impl FromStr for Quoting {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "rfc4180" => Ok(Self::Rfc4180),
            "backslash" => Ok(Self::Backslash),
            "none" => Ok(Self::None),
            _ => Err(UnknownName {
                what: "quoting",
                found: name.to_owned(),
                expected: "rfc4180, backslash, none".to_owned(),
            }),
        }
    }
}

/// The character that separates cells: one ASCII character other than a quote or a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Separator(u8);

impl From<Separator> for u8 {
    fn from(separator: Separator) -> Self {
        separator.0
    }
}

impl From<Separator> for String {
    fn from(separator: Separator) -> Self {
        match separator.0 {
            b'\t' => "tab".to_owned(),
            other => char::from(other).to_string(),
        }
    }
}

impl TryFrom<String> for Separator {
    type Error = UnknownName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl FromStr for Separator {
    type Err = UnknownName;

    /// Reads the character itself, or `tab`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.as_bytes() {
            b"tab" | b"\\t" => Ok(Self(b'\t')),
            &[byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(Self(byte)),
            _ => Err(UnknownName {
                what: "separator",
                found: name.to_owned(),
                expected: "one ASCII character (`;`, `|`) or tab".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        for (name, byte) in [(";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("\t", b'\t')] {
            assert_eq!(u8::from(name.parse::<Separator>().unwrap()), byte);
        }
        for name in ["", "\"", ";;", "\n", "é"] {
            assert!(name.parse::<Separator>().is_err(), "{name:?}");
        }
        for quoting in [Quoting::Rfc4180, Quoting::Backslash, Quoting::None] {
            let name = serde_json::to_value(quoting).unwrap();
            assert_eq!(name.as_str().unwrap().parse(), Ok(quoting));
        }
        assert!("double".parse::<Quoting>().unwrap_err().to_string().contains("backslash"));
    }
}
