//! Judgements as a table of texts, and what their readers share.

use super::ExchangeError;
use crate::{DataError, RowUnit};
use std::path::Path;

/// Judgements as a table of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgements {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, in the order of the file.
    pub rows: Vec<JudgementRow>,
    /// What the rows' positions count.
    pub unit: RowUnit,
}

/// A row of [`Judgements`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgementRow {
    /// The line of the file, or the number of the judgement, from 1.
    pub line: u64,
    /// A text or nothing for each column.
    pub cells: Vec<Option<String>>,
}

/// The whole text of a file.
pub(super) fn text(path: &Path) -> Result<String, ExchangeError> {
    let bytes = std::fs::read(path).map_err(|source| DataError::read(path, source))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line =
            String::from_utf8_lossy(&error.as_bytes()[..at]).matches('\n').count() as u64 + 1;
        ExchangeError::line(path, line, "bytes that are not UTF-8; save the file as UTF-8")
    })
}

/// The JSON of a file.
pub(super) fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ExchangeError> {
    serde_json::from_str(&text(path)?)
        .map_err(|error| ExchangeError::line(path, error.line() as u64, error.to_string()))
}

/// A value of JSON as the text of a cell.
pub(super) fn cell(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
