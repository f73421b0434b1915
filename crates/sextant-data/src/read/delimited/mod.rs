//! CSV and TSV: a header line, then rows of cells.

mod cells;
mod fault;
mod header;
mod line_as_row;
mod scanner;
mod shape;
mod swallowed;

use super::{Map, Opened, Record, RowFile, Value, check_columns};
use crate::read_options::ReadOptions;
use crate::{DataError, Format, RowProblem};
use cells::Cells;
use header::Header;
pub(crate) use header::separator_in;
use scanner::Scanner;
use std::io::BufRead;
use std::path::Path;

pub(super) fn records(
    text: impl BufRead + Send + 'static,
    row_file: &RowFile,
    separator: u8,
    options: &ReadOptions,
) -> Result<Opened, DataError> {
    let mut rows = Rows::open(text, row_file, separator, options)?;
    let columns = rows.names().cloned().collect();
    let records = std::iter::from_fn(move || {
        Some(rows.next()?.map(|(line, cells)| {
            let field = |(name, text): (&str, &str)| (name.to_owned(), Value::from(text));
            Record { line, fields: cells.into_iter().map(field).collect::<Map<_, _>>() }
        }))
    });
    Ok(Opened { columns: Some(columns), records: Box::new(records) })
}

/// A delimited table in memory, with columns of any names.
pub(crate) struct TextTable {
    /// The names in the header.
    pub(crate) names: Vec<String>,
    /// The line of each row, from 1, and its cells, one for each name.
    pub(crate) rows: Vec<(u64, Vec<String>)>,
}

/// Reads a whole table, as strictly as rows of pairs are read.
///
/// # Errors
/// A quote after which it is uncertain where the next row starts, or a row with more or fewer cells than the
/// header; see [`DataError`].
pub(crate) fn whole_table(
    text: impl BufRead,
    path: &Path,
    separator: u8,
    options: &ReadOptions,
) -> Result<TextTable, DataError> {
    let (header, scanner) = header::open(text, path, separator, options)?;
    let row_file = RowFile { path: path.to_owned(), format: Format::Csv };
    let mut table = Rows { scanner, header, row_file };
    let mut rows = Vec::new();
    while let Some(row) = table.next() {
        let (line, cells) = row?;
        rows.push((line, cells.into_iter().map(|(_, cell)| cell.to_owned()).collect()));
    }
    Ok(TextTable { names: table.names().cloned().collect(), rows })
}

/// The rows of a text after its header.
pub(super) struct Rows<R> {
    scanner: Scanner<R>,
    header: Header,
    row_file: RowFile,
}

impl<R: BufRead> Rows<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// The header is missing, or lacks a column that is needed.
    pub(super) fn open(
        text: R,
        row_file: &RowFile,
        separator: u8,
        options: &ReadOptions,
    ) -> Result<Self, DataError> {
        let (header, scanner) = header::open(text, &row_file.path, separator, options)?;
        let rows = Self { scanner, header, row_file: row_file.clone() };
        let names: Vec<String> = rows.names().cloned().collect();
        check_columns(&row_file.path, &names, options, header::separator_hint(&rows.header))?;
        Ok(rows)
    }

    /// The names of the columns, without columns that have no name.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.header.names.iter().filter(|name| !name.is_empty())
    }

    /// The next row: its line, and the name and the text of each column that has a name.
    #[expect(clippy::type_complexity, reason = "names and texts, borrowed from the row")]
    pub(super) fn next(&mut self) -> Option<Result<(u64, Vec<(&str, &str)>), DataError>> {
        let Self { scanner, header, row_file } = self;
        match scanner.next() {
            Ok(Some(cells)) => {
                let line = cells.line;
                Some(texts(cells, &header.names, row_file).map(|texts| (line, texts)))
            }
            Ok(None) => None,
            Err(fault) => Some(Err(fault.into_error(&row_file.path, &header.names))),
        }
    }
}

fn texts<'a>(
    cells: &'a Cells,
    names: &'a [String],
    row_file: &RowFile,
) -> Result<Vec<(&'a str, &'a str)>, DataError> {
    let line = cells.line;
    let error = |column, problem| Err(row_file.error(line, column, problem));
    if cells.len() != names.len() {
        let problem = RowProblem::Ragged { found: cells.len(), expected: names.len() };
        return error(None, problem);
    }
    let mut texts = Vec::with_capacity(names.len());
    for (position, (name, cell)) in names.iter().zip(cells.iter()).enumerate() {
        match std::str::from_utf8(cell) {
            Ok(text) if !name.is_empty() => texts.push((name.as_str(), text)),
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                let found = crate::entity::shorten(&text.into());
                let problem = RowProblem::UnnamedColumn { position: position + 1, found };
                return error(None, problem);
            }
            Err(problem) => {
                let problem = RowProblem::BrokenUtf8 { byte: problem.valid_up_to() + 1 };
                return error((!name.is_empty()).then_some(name.as_str()), problem);
            }
        }
    }
    Ok(texts)
}
