//! CSV and TSV: a header line, then rows of cells.

mod fault;
mod header;
mod scanner;
mod swallowed;

pub use fault::QuoteError;
pub(crate) use fault::bytes;

use super::{Labels, Map, Opened, Place, ReadOptions, Record, Value, check_columns};
use crate::write::{Column, ColumnKind};
use crate::{DataError, RowProblem};
use header::Header;
use scanner::{Cells, Scanner};
use std::io::BufRead;

pub(super) fn records(
    text: impl BufRead + Send + 'static,
    place: &Place,
    separator: u8,
    options: &ReadOptions,
) -> Result<Opened, DataError> {
    let (header, scanner) = header::open(text, &place.path, separator, options)?;
    let named = header.names.iter().filter(|name| !name.is_empty());
    let column = |name: &String| match options.labels {
        Labels::Foreign => Column::new(name, ColumnKind::Text),
        _ => Column::known_or(name, ColumnKind::Text),
    };
    let columns: Vec<Column> = named.map(column).collect();
    check_columns(&place.path, &columns, options, header::separator_hint(&header))?;
    let rows = Rows { scanner, header, place: place.clone() };
    Ok(Opened { columns: Some(columns), records: Box::new(rows) })
}

struct Rows<R> {
    scanner: Scanner<R>,
    header: Header,
    place: Place,
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Record, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.scanner.next() {
            Ok(Some(cells)) => Some(record(cells, &self.header.names, &self.place)),
            Ok(None) => None,
            Err(fault) => Some(Err(fault.into_error(&self.place.path, &self.header.names))),
        }
    }
}

fn record(cells: &Cells, names: &[String], place: &Place) -> Result<Record, DataError> {
    let line = cells.line;
    let error = |column, problem| Err(place.error(line, column, problem));
    if cells.len() != names.len() {
        let problem = RowProblem::Ragged { found: cells.len(), expected: names.len() };
        return error(None, problem);
    }
    let mut fields = Map::with_capacity(names.len());
    for (position, (name, cell)) in names.iter().zip(cells.iter()).enumerate() {
        match std::str::from_utf8(cell) {
            Ok(text) if !name.is_empty() => {
                fields.insert(name.clone(), Value::String(text.to_owned()));
            }
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                let found = crate::entity::shorten(&text.into());
                let problem = RowProblem::UnnamedColumn { position: position + 1, found };
                return error(None, problem);
            }
            Err(problem) => {
                let problem = RowProblem::BrokenUtf8 { byte: problem.valid_up_to() + 1 };
                return error((!name.is_empty()).then_some(name), problem);
            }
        }
    }
    Ok(Record { line, fields })
}
