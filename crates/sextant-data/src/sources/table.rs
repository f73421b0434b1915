//! Reads source files: text in its encoding, numbered lines, and CSV with named columns.

use super::SourceError;
use crate::read::{TextTable, whole_table};
use crate::{DataError, ReadOptions};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The character encoding of a source file.
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

/// How much was left out of a damaged file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The number of rows with a stray quote.
    pub rows: u64,
    /// The number of lines of these rows, with the lines that the stray quotes swallow.
    pub lines: u64,
    /// The first of these lines, from 1.
    pub first: Option<u64>,
}

/// An error about one line of `path`.
pub(super) fn line_error(path: &Path, line: u64, problem: impl Into<String>) -> SourceError {
    SourceError::Line { path: path.to_owned(), line, problem: problem.into() }
}

/// A CSV file in memory whose cells are looked up by column name.
pub(super) struct Table {
    path: PathBuf,
    columns: Vec<String>,
    /// The line of each row, and its cells.
    rows: Vec<(u64, Vec<String>)>,
}

impl Table {
    /// Reads a CSV file as strictly as pairs are read: anything that does not fit the format is an error, so
    /// that a stray quote in one row cannot swallow others.
    pub(super) fn read(
        path: &Path,
        charset: Charset,
        needed: &[&str],
    ) -> Result<Self, SourceError> {
        let text = read_text(path, charset)?;
        let TextTable { names, rows } =
            whole_table(text.as_bytes(), path, b',', &ReadOptions::default()).map_err(|error| {
                match error {
                    DataError::Quote(error) => line_error(path, error.line(), error.finding()),
                    DataError::Row(error) => line_error(path, error.row, error.problem.to_string()),
                    other => other.into(),
                }
            })?;
        Self::new(path, names, rows, needed)
    }

    /// Reads a CSV file in which some rows are known to have a stray quote. These rows are left out, together
    /// with the lines up to the next quote; the second value says how much was left out.
    pub(super) fn read_damaged(
        path: &Path,
        charset: Charset,
        needed: &[&str],
    ) -> Result<(Self, LeftOut), SourceError> {
        let text = read_text(path, charset)?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut records = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| {
                let line = error.position().map_or(1, csv::Position::line);
                line_error(path, line, format!("not CSV: {error}"))
            })?;
            let line = record.position().map_or(1, csv::Position::line);
            records.push((line, record.iter().map(str::to_owned).collect::<Vec<_>>()));
        }
        let end = text.lines().count() as u64 + 1;
        let starts: Vec<u64> = records.iter().skip(1).map(|&(line, _)| line).chain([end]).collect();
        let mut records = records.into_iter().zip(starts);
        let Some(((_, names), _)) = records.next() else {
            return Err(DataError::NoHeader { path: path.to_owned() }.into());
        };
        let (mut rows, mut left_out) = (Vec::new(), LeftOut::default());
        for ((line, cells), next) in records {
            // In such a file no cell contains a line end, so a row with one has swallowed others.
            let whole = cells.len() == names.len() && !cells.iter().any(|cell| cell.contains('\n'));
            if whole {
                rows.push((line, cells));
            } else {
                left_out.rows += 1;
                left_out.lines += next - line;
                left_out.first.get_or_insert(line);
            }
        }
        Ok((Self::new(path, names, rows, needed)?, left_out))
    }

    fn new(
        path: &Path,
        names: Vec<String>,
        rows: Vec<(u64, Vec<String>)>,
        needed: &[&str],
    ) -> Result<Self, SourceError> {
        let columns: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
        for name in needed {
            if !columns.iter().any(|column| column == name) {
                let problem = format!("no column `{name}` among `{}`", columns.join("`, `"));
                return Err(line_error(path, 1, problem));
            }
        }
        Ok(Self { path: path.to_owned(), columns, rows })
    }

    /// The rows in the order of the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = TableRow<'_>> {
        self.rows.iter().map(|(line, cells)| TableRow { table: self, line: *line, cells })
    }
}

/// One row of a [`Table`].
#[derive(Clone, Copy)]
pub(super) struct TableRow<'a> {
    table: &'a Table,
    line: u64,
    cells: &'a [String],
}

impl<'a> TableRow<'a> {
    /// The trimmed text of the cell in `column`.
    pub(super) fn cell(&self, column: &str) -> Result<&'a str, SourceError> {
        let position = self.table.columns.iter().position(|name| name == column);
        position
            .and_then(|position| self.cells.get(position))
            .map(|cell| cell.trim())
            .ok_or_else(|| self.error(format!("no cell for column `{column}`")))
    }

    /// The trimmed text of the cell in `column`, which must not be empty.
    pub(super) fn text(&self, column: &str) -> Result<&'a str, SourceError> {
        match self.cell(column)? {
            "" => Err(self.error(format!("column `{column}` is empty"))),
            text => Ok(text),
        }
    }

    /// The cell in `column`, parsed as a number or another type.
    pub(super) fn parse<T: std::str::FromStr>(&self, column: &str) -> Result<T, SourceError> {
        let cell = self.cell(column)?;
        cell.parse().map_err(|_| self.error(format!("column `{column}`: cannot use `{cell}`")))
    }

    /// An error about this row.
    pub(super) fn error(&self, problem: impl Into<String>) -> SourceError {
        line_error(&self.table.path, self.line, problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_file_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "id,score\n1,2.5\n2,high\n").unwrap();
        let table = Table::read(&path, Charset::Utf8, &["id", "score"]).unwrap();
        let scores: Vec<_> = table.rows().map(|row| row.parse::<f64>("score")).collect();
        assert_eq!(*scores[0].as_ref().unwrap(), 2.5);
        let bad = scores[1].as_ref().unwrap_err().to_string();
        assert!(bad.contains("a.csv line 3") && bad.contains("`high`"), "{bad}");
        let absent = Table::read(&path, Charset::Utf8, &["grade"]).err().unwrap().to_string();
        assert!(absent.contains("`grade`"), "{absent}");
    }

    /// The lenient `csv` crate reads each of these files without an error, and loses rows or cells.
    #[test]
    fn rows_are_not_lost_in_quotes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let cases = [
            ("1,\"3\"\" pipe,5\n2,tap,6\n3,\"pan\",7\n", 2, "column `name`"),
            ("1,tap,5\n2,\"pan\" x,6\n", 3, "after the quote that closes it"),
            ("1,tap,5\n2,\"pan,6\n", 3, "never closed"),
            ("1,tap,5\n2,pan\n", 3, "2 cells where the header has 3"),
            ("1,tap,5\n2,pan,6,7\n", 3, "4 cells where the header has 3"),
        ];
        for (rows, line, part) in cases {
            std::fs::write(&path, format!("id,name,aisle\n{rows}")).unwrap();
            let error = Table::read(&path, Charset::Utf8, &["id"]).err().unwrap().to_string();
            assert!(error.contains(&format!("a.csv line {line}: ")), "{error}");
            assert!(error.contains(part), "{part} in {error}");
            assert!(!error.contains("--quoting"), "`data build` has no such option: {error}");
        }
    }

    #[test]
    fn what_a_damaged_file_loses_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let rows = "id,name\n1,\"a \"\"b\"\"\"\n2,\"3\"\" pipe\n3,\"tap\"\n4,pan\n5,\"x\"\"\n";
        std::fs::write(&path, rows).unwrap();
        let (table, left_out) = Table::read_damaged(&path, Charset::Utf8, &["name"]).unwrap();
        let names: Vec<_> = table.rows().map(|row| row.text("name").unwrap()).collect();
        assert_eq!(names, ["a \"b\"", "pan"]);
        assert_eq!(left_out, LeftOut { rows: 2, lines: 3, first: Some(3) });
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
