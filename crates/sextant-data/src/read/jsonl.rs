//! JSONL: one object per line. Blank lines are passed over.

use super::{Map, Place, Record, Records, Value};
use crate::write::{Column, ColumnKind};
use crate::{DataError, RowProblem};
use std::io::BufRead;

pub(super) fn records(mut input: impl BufRead + Send + 'static, place: Place) -> Records {
    let mut bytes = Vec::new();
    let mut line = 0;
    Box::new(std::iter::from_fn(move || {
        loop {
            bytes.clear();
            match input.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => line += 1,
                Err(source) => return Some(Err(DataError::read(&place.path, source))),
            }
            if !bytes.trim_ascii().is_empty() {
                return Some(match parse(&bytes) {
                    Ok(fields) => Ok(Record { line, fields }),
                    Err(problem) => Err(place.error(line, None, problem)),
                });
            }
        }
    }))
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, RowProblem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| RowProblem::BrokenUtf8 { byte: error.valid_up_to() + 1 })?;
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
