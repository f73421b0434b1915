//! Reading source files: text in its encoding, lines with numbers, CSV with named columns.

use super::SourceError;
use std::path::{Path, PathBuf};

/// How the bytes of a source file become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Latin1,
}

/// Reads a whole file as text; a byte order mark is dropped.
pub(super) fn read_text(path: &Path, charset: Charset) -> Result<String, SourceError> {
    let bytes = std::fs::read(path)
        .map_err(|source| SourceError::Read { path: path.to_owned(), source })?;
    match charset {
        Charset::Latin1 => Ok(encoding_rs::mem::decode_latin1(&bytes).into_owned()),
        Charset::Utf8 => match String::from_utf8(bytes) {
            Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
            Err(error) => {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = good.split(|&byte| byte == b'\n').count() as u64;
                Err(line_error(path, line, "bytes that are not UTF-8"))
            }
        },
    }
}

/// An error about one line of `path`.
pub(super) fn line_error(path: &Path, line: u64, problem: impl Into<String>) -> SourceError {
    SourceError::Line { path: path.to_owned(), line, problem: problem.into() }
}

/// A CSV file in memory whose cells are looked up by column name.
pub(super) struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    /// Reads a CSV file. Rows with a wrong number of cells are kept; their absent cells are errors
    /// only when they are asked for.
    pub(super) fn read(
        path: &Path,
        charset: Charset,
        needed: &[&str],
    ) -> Result<Self, SourceError> {
        let text = read_text(path, charset)?;
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let bad = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            line_error(path, line, format!("not CSV: {error}"))
        };
        let columns: Vec<String> =
            reader.headers().map_err(bad)?.iter().map(|name| name.trim().to_owned()).collect();
        for name in needed {
            if !columns.iter().any(|column| column == name) {
                let problem = format!("no column `{name}` among `{}`", columns.join("`, `"));
                return Err(line_error(path, 1, problem));
            }
        }
        let rows = reader.records().collect::<Result<Vec<_>, _>>().map_err(bad)?;
        Ok(Self { path: path.to_owned(), columns, rows })
    }

    /// The rows in the order of the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = TableRow<'_>> {
        self.rows.iter().map(|record| TableRow { table: self, record })
    }
}

/// One row of a [`Table`].
#[derive(Clone, Copy)]
pub(super) struct TableRow<'a> {
    table: &'a Table,
    record: &'a csv::StringRecord,
}

impl<'a> TableRow<'a> {
    /// The cell under `column`, trimmed.
    pub(super) fn cell(&self, column: &str) -> Result<&'a str, SourceError> {
        let position = self.table.columns.iter().position(|name| name == column);
        position
            .and_then(|position| self.record.get(position))
            .map(str::trim)
            .ok_or_else(|| self.error(format!("no cell for column `{column}`")))
    }

    /// The cell under `column`, which must not be empty.
    pub(super) fn text(&self, column: &str) -> Result<&'a str, SourceError> {
        match self.cell(column)? {
            "" => Err(self.error(format!("column `{column}` is empty"))),
            text => Ok(text),
        }
    }

    /// The cell under `column` as a number (or whatever parses).
    pub(super) fn parse<T: std::str::FromStr>(&self, column: &str) -> Result<T, SourceError> {
        let cell = self.cell(column)?;
        cell.parse().map_err(|_| self.error(format!("column `{column}`: cannot use `{cell}`")))
    }

    /// An error about this row.
    pub(super) fn error(&self, problem: impl Into<String>) -> SourceError {
        let line = self.record.position().map_or(0, csv::Position::line);
        line_error(&self.table.path, line, problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_file_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "id,score\n1,2.5\n2,high\n3\n").unwrap();
        let table = Table::read(&path, Charset::Utf8, &["id", "score"]).unwrap();
        let scores: Vec<_> = table.rows().map(|row| row.parse::<f64>("score")).collect();
        assert_eq!(*scores[0].as_ref().unwrap(), 2.5);
        let bad = scores[1].as_ref().unwrap_err().to_string();
        assert!(bad.contains("a.csv line 3") && bad.contains("`high`"), "{bad}");
        let short = scores[2].as_ref().unwrap_err().to_string();
        assert!(short.contains("line 4") && short.contains("`score`"), "{short}");
        let absent = Table::read(&path, Charset::Utf8, &["grade"]).err().unwrap().to_string();
        assert!(absent.contains("`grade`"), "{absent}");
    }

    #[test]
    fn broken_utf8_names_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"fine\nna\xefve\n").unwrap();
        let error = read_text(&path, Charset::Utf8).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert_eq!(read_text(&path, Charset::Latin1).unwrap(), "fine\nna\u{ef}ve\n");
    }
}
