//! JSONL: one object per line. Blank lines are passed over.

use super::lines::Lines;
use super::{Map, Opened, Place, Record, Value};
use crate::write::{Column, ColumnKind};
use crate::{DataError, RowProblem};
use std::io::BufRead;

pub(super) fn records(
    text: impl BufRead + Send + 'static,
    place: &Place,
    max_row_bytes: usize,
) -> Opened {
    let place = place.clone();
    let mut lines = JsonLines::new(text, place.clone(), max_row_bytes);
    let records = std::iter::from_fn(move || {
        Some(lines.next()?.and_then(|(line, text)| match parse(text) {
            Ok(fields) => Ok(Record { line, fields }),
            Err(problem) => Err(place.error(line, None, problem)),
        }))
    });
    Opened { columns: None, records: Box::new(records) }
}

/// The lines that are not blank, with their numbers from 1.
pub(super) struct JsonLines<R> {
    lines: Lines<R>,
    place: Place,
    max_row_bytes: usize,
    line: u64,
}

impl<R: BufRead> JsonLines<R> {
    pub(super) fn new(text: R, place: Place, max_row_bytes: usize) -> Self {
        Self { lines: Lines::new(text, max_row_bytes), place, max_row_bytes, line: 0 }
    }

    /// The next line. One that is too long or not UTF-8 is a bad row.
    pub(super) fn next(&mut self) -> Option<Result<(u64, &str), DataError>> {
        let Self { lines, place, max_row_bytes, line } = self;
        let limit = *max_row_bytes;
        let whole = loop {
            *line += 1;
            match lines.advance() {
                Ok(Some(true)) if lines.text().trim_ascii().is_empty() => {}
                Ok(Some(whole)) => break whole,
                Ok(None) => return None,
                Err(source) => return Some(Err(DataError::read(&place.path, source))),
            }
        };
        if !whole {
            return Some(Err(place.error(*line, None, RowProblem::TooLong { limit })));
        }
        Some(std::str::from_utf8(lines.text()).map(|text| (*line, text)).map_err(|error| {
            let problem = RowProblem::BrokenUtf8 { byte: error.valid_up_to() + 1 };
            place.error(*line, None, problem)
        }))
    }
}

/// The object on a line.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, RowProblem> {
    serde_json::from_str(text).map_err(|error| RowProblem::BadJson(without_line(&error)))
}

/// serde counts lines within the text it was given, always 1 here: keep only its column.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at character ")
}

/// The columns of all lines, in order of first appearance, of the widest kind they need.
pub(super) fn columns(
    records: impl Iterator<Item = Result<Record, DataError>>,
) -> Result<Vec<Column>, DataError> {
    let mut columns: Map<String, Value> = Map::new();
    let mut kinds: Vec<Option<ColumnKind>> = Vec::new();
    for record in records {
        let fields = match record {
            Ok(record) => record.fields,
            Err(DataError::Row(_)) => continue,
            Err(error) => return Err(error),
        };
        for (name, value) in fields {
            let position = columns.get(&name).and_then(Value::as_u64).unwrap_or_else(|| {
                columns.insert(name, kinds.len().into());
                kinds.push(None);
                kinds.len() as u64 - 1
            });
            let kind = &mut kinds[position as usize];
            *kind = ColumnKind::of(&value)
                .map_or(*kind, |new| Some(kind.map_or(new, |old| old.widened_to(new))));
        }
    }
    let column = |(name, kind): (String, Option<ColumnKind>)| {
        Column::known_or(&name, kind.unwrap_or(ColumnKind::Text))
    };
    Ok(columns.into_iter().map(|(name, _)| name).zip(kinds).map(column).collect())
}
