//! The first line of a delimited file: its separator and the names of its columns.

use super::fault::Fault;
use super::scanner::{Dialect, Scanner};
use super::shape::{Key, KeyKind, Shape};
use crate::{DataError, ReadOptions};
use std::io::BufRead;
use std::path::Path;

/// The separator of a file and the names in its header.
pub(super) struct Header {
    /// The names of all columns; a column without a name has an empty one.
    pub(super) names: Vec<String>,
    pub(super) separator: u8,
}

/// Reads the header of a text, and returns a scanner for its rows. The cells are separated by `separator`
/// unless the options or the text's first line (`sep=;`, as Excel reads and writes it) state another one.
pub(super) fn open<R: BufRead>(
    mut text: R,
    path: &Path,
    separator: u8,
    options: &ReadOptions,
) -> Result<(Header, Scanner<R>), DataError> {
    let stated = stated_separator(&mut text).map_err(|source| DataError::read(path, source))?;
    let separator = options.separator.map(u8::from).or(stated).unwrap_or(separator);
    let dialect = Dialect {
        separator,
        quoting: options.quoting.unwrap_or_default(),
        stated: options.quoting.is_some(),
        max_row_bytes: options.max_row_bytes,
    };
    let mut scanner = Scanner::new(text, dialect);
    let fail = |fault: Fault| fault.into_error(path, &[]);
    let Some(cells) = scanner.next().map_err(fail)? else {
        return Err(DataError::NoHeader { path: path.to_owned() });
    };
    let mut names: Vec<String> = Vec::with_capacity(cells.len());
    for cell in cells.iter() {
        let name = std::str::from_utf8(cell)
            .map_err(|_| DataError::HeaderEncoding { path: path.to_owned(), line: cells.line })?;
        // Spreadsheets also write cells, with empty names, for columns that are no longer used.
        let name = if name.trim().is_empty() { "" } else { name };
        if !name.is_empty() && names.iter().any(|other| other == name) {
            return Err(DataError::DuplicateColumn {
                path: path.to_owned(),
                column: name.to_owned(),
            });
        }
        names.push(name.to_owned());
    }
    let key = |name: &str, kind| {
        names.iter().position(|other| other == name).map(|column| Key { column, kind })
    };
    let key = key("task", KeyKind::Task).or_else(|| key("grade", KeyKind::Grade));
    scanner.watch(Shape { columns: names.len(), key });
    Ok((Header { names, separator }, scanner))
}

/// Consumes `sep=;` at the start of a text, but not its line end, and gives the separator that it states.
fn stated_separator(text: &mut impl BufRead) -> std::io::Result<Option<u8>> {
    let separator = match text.fill_buf()? {
        [s, e, p, b'=', separator, b'\n' | b'\r', ..]
            if [*s, *e, *p].eq_ignore_ascii_case(b"sep") =>
        {
            *separator
        }
        _ => return Ok(None),
    };
    text.consume(5);
    Ok(Some(separator))
}

/// A hint for a header that is read as one cell, probably because the file has another separator.
pub(super) fn separator_hint(header: &Header) -> Option<String> {
    let [name] = &header.names[..] else { return None };
    let (seen, option) = match separator_in(name, header.separator)? {
        '\t' => ("tabs".to_owned(), "tab".to_owned()),
        character => (format!("`{character}`"), format!("'{character}'")),
    };
    Some(format!(
        "; its cells are separated by {seen}: read the file with --separator {option} (`data.separator` in a recipe)"
    ))
}

/// The character that most likely separates the names in a header that was read as one cell, by `separator`.
pub(crate) fn separator_in(header: &str, separator: u8) -> Option<char> {
    let candidates = [';', '\t', ',', '|'].into_iter();
    let (_, character) = candidates
        .filter(|&character| u32::from(character) != u32::from(separator))
        .map(|character| (header.matches(character).count(), character))
        .filter(|&(count, _)| count > 0)
        .max_by_key(|&(count, _)| count)?;
    Some(character)
}
