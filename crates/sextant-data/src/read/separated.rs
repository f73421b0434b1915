//! CSV and TSV: a header line, then cells with quotes where needed (RFC 4180).

use super::line_counter::LineCounter;
use super::{Map, Place, Record, Records, Value};
use crate::write::{Column, ColumnKind};
use crate::{DataError, RowProblem};
use csv::{ByteRecord, ReaderBuilder};
use std::io::Read;

pub(super) fn records(
    file: impl Read + Send + 'static,
    place: Place,
    separator: u8,
) -> Result<(Option<Vec<Column>>, Records), DataError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true) // ragged rows are reported here, with the fix
        .from_reader(LineCounter::new(file));
    let header = reader.byte_headers().map_err(|error| read_error(&place, error))?.clone();
    if header.is_empty() {
        return Err(DataError::NoHeader { path: place.path });
    }
    let mut names = Vec::with_capacity(header.len());
    for cell in &header {
        let name = std::str::from_utf8(cell)
            .map(str::to_owned)
            .map_err(|_| DataError::HeaderEncoding { path: place.path.clone() })?;
        if names.contains(&name) {
            return Err(DataError::DuplicateColumn { path: place.path, column: name });
        }
        names.push(name);
    }
    let columns = names.iter().map(|name| Column::known_or(name, ColumnKind::Text)).collect();

    let mut record = ByteRecord::new();
    let mut last_line = 0;
    let mut last_spans_lines = false;
    let mut ended = false;
    let records = std::iter::from_fn(move || {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => {
                // The parser takes the end of the file for the closing quote, and would silently make
                // one cell of all that follows an unclosed one.
                let unclosed = last_spans_lines && reader.get_ref().last_text() != b'"';
                let error =
                    || DataError::UnclosedQuote { path: place.path.clone(), line: last_line };
                return (unclosed && !std::mem::replace(&mut ended, true)).then(|| Err(error()));
            }
            Err(error) => return Some(Err(read_error(&place, error))),
        }
        let start = record.position().map_or(0, csv::Position::byte);
        let line = reader.get_mut().line_at(start);
        last_line = line;
        last_spans_lines = record.iter().next_back().is_some_and(|cell| cell.contains(&b'\n'));
        if record.len() != names.len() {
            let problem = RowProblem::Ragged { found: record.len(), expected: names.len() };
            return Some(Err(place.error(line, None, problem)));
        }
        let mut fields = Map::with_capacity(names.len());
        for (name, cell) in names.iter().zip(&record) {
            match std::str::from_utf8(cell) {
                Ok(text) => fields.insert(name.clone(), Value::String(text.to_owned())),
                Err(error) => {
                    let problem = RowProblem::BrokenUtf8 { byte: error.valid_up_to() + 1 };
                    return Some(Err(place.error(line, Some(name), problem)));
                }
            };
        }
        Some(Ok(Record { line, fields }))
    });
    Ok((Some(columns), Box::new(records)))
}

fn read_error(place: &Place, error: csv::Error) -> DataError {
    DataError::read(&place.path, error.into())
}
