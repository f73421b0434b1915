//! JSONL: one object per line. Blank lines are skipped.

use super::json_fields::fields;
use super::lines::Lines;
use super::parse::without_line;
use super::{Map, Opened, Record, RowFile, Value};
use crate::{DataError, RowProblem};
use sextant_core::Unrepeated;
use std::collections::BTreeSet;
use std::io::BufRead;

pub(super) fn records(
    text: impl BufRead + Send + 'static,
    row_file: &RowFile,
    max_row_bytes: usize,
) -> Opened {
    let row_file = row_file.clone();
    let mut lines = JsonLines::new(text, row_file.clone(), max_row_bytes);
    let records = std::iter::from_fn(move || {
        Some(lines.next()?.and_then(|(line, text)| match parse(text) {
            Ok(fields) => Ok(Record { line, fields }),
            Err(problem) => Err(row_file.error(line, None, problem)),
        }))
    });
    Opened { columns: None, records: Box::new(records) }
}

/// The lines that are not blank, with their numbers from 1.
pub(super) struct JsonLines<R> {
    lines: Lines<R>,
    row_file: RowFile,
    max_row_bytes: usize,
    line: u64,
}

impl<R: BufRead> JsonLines<R> {
    pub(super) fn new(text: R, row_file: RowFile, max_row_bytes: usize) -> Self {
        Self { lines: Lines::new(text, max_row_bytes), row_file, max_row_bytes, line: 0 }
    }

    /// The next line. A line that is too long or not UTF-8 is a bad row.
    pub(super) fn next(&mut self) -> Option<Result<(u64, &str), DataError>> {
        let Self { lines, row_file, max_row_bytes, line } = self;
        let limit = *max_row_bytes;
        let whole = loop {
            *line += 1;
            match lines.advance() {
                Ok(Some(true)) if lines.text().trim_ascii().is_empty() => {}
                Ok(Some(whole)) => break whole,
                Ok(None) => return None,
                Err(source) => return Some(Err(DataError::read(&row_file.path, source))),
            }
        };
        if !whole {
            return Some(Err(row_file.error(*line, None, RowProblem::TooLong { limit })));
        }
        Some(std::str::from_utf8(lines.text()).map(|text| (*line, text)).map_err(|error| {
            let problem = RowProblem::BrokenUtf8 { byte: error.valid_up_to() + 1 };
            row_file.error(*line, None, problem)
        }))
    }
}

/// The object on a line.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, RowProblem> {
    // A key of the row itself is named, one within a value is not.
    let (mut keys, mut repeated) = (BTreeSet::new(), None);
    fields(text, |key, _| {
        if !keys.insert(key.clone()) {
            repeated.get_or_insert(key.into_owned());
        }
    });
    if let Some(key) = repeated {
        return Err(RowProblem::RepeatedKey(key));
    }
    match serde_json::from_str(text) {
        Ok(Unrepeated(Value::Object(object))) => Ok(object),
        Ok(_) => Err(RowProblem::BadJson("not an object".to_owned())),
        Err(error) => Err(RowProblem::BadJson(without_line(&error))),
    }
}
