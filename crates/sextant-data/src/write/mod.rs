//! Writing rows to files, one at a time: the whole file appears at the end, or nothing does.

mod atomic;
mod column;
mod parquet;

pub use atomic::AtomicFile;
pub use column::{Column, ColumnKind};

use self::parquet::ParquetSink;
use crate::{DataError, Format, Row, entity};
use serde::Serializer;
use serde_json::Value;
use sextant_core::{Entity, Example};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes rows to a JSONL, CSV, TSV or Parquet file in bounded memory.
///
/// The rows go to a temporary file in the same folder, which [`RowWriter::finish`] renames. A writer
/// that is dropped, or whose write fails, leaves nothing behind.
#[derive(Debug)]
pub struct RowWriter {
    path: PathBuf,
    columns: Vec<Column>,
    rows: u64,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Jsonl(AtomicFile),
    Separated(Box<csv::Writer<AtomicFile>>),
    Parquet(Box<ParquetSink>),
}

impl RowWriter {
    /// Opens a writer for the given columns, written in this order; the extension of `path` chooses
    /// the format. JSONL leaves absent values out, CSV leaves the cell empty, Parquet writes null.
    ///
    /// # Errors
    /// Unknown extension, two columns of one name, or a folder that cannot be written to.
    pub fn create(path: impl AsRef<Path>, columns: Vec<Column>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let format = Format::of(path)?;
        let mut names: Vec<_> = columns.iter().map(|column| &column.name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let column = pair[0].clone();
            return Err(DataError::DuplicateColumn { path: path.to_owned(), column });
        }
        Self::over(AtomicFile::create(path)?, format, columns)
    }

    fn over(file: AtomicFile, format: Format, columns: Vec<Column>) -> Result<Self, DataError> {
        let path = file.path().to_owned();
        let sink = match format {
            Format::Jsonl => Sink::Jsonl(file),
            Format::Csv | Format::Tsv => {
                let separator = if format == Format::Csv { b',' } else { b'\t' };
                let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(file);
                writer
                    .write_record(columns.iter().map(|column| &column.name))
                    .map_err(|error| DataError::write(&path, error))?;
                Sink::Separated(Box::new(writer))
            }
            Format::Parquet => Sink::Parquet(Box::new(ParquetSink::open(file, &columns)?)),
        };
        Ok(Self { path, columns, rows: 0, sink })
    }

    /// The file that will appear.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows were written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes one row: the value of each declared column. Of the columns that mean something
    /// ([`Row::COLUMNS`]) only the declared ones are written; an extra column must be declared.
    ///
    /// # Errors
    /// The disk refuses, an extra column is not declared, or a value does not fit its column. The
    /// output is lost then: drop the writer.
    pub fn write(&mut self, row: &Row) -> Result<(), DataError> {
        self.rows += 1;
        self.check_extra(row)?;
        let values = self.columns.iter().map(|column| {
            let value = row.value(&column.name).filter(|value| !value.is_null());
            match value {
                Some(value) if !column.kind.holds(&value) => {
                    Err(self.unstorable(column, &value, column.kind.as_str()))
                }
                value => Ok(value),
            }
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        if !matches!(self.sink, Sink::Jsonl(_)) {
            self.check_cells(row)?;
        }
        match &mut self.sink {
            Sink::Jsonl(file) => {
                let names = self.columns.iter().map(|column| &column.name);
                let present = names.zip(&values).filter(|(_, value)| value.is_some());
                serde_json::Serializer::new(&mut *file)
                    .collect_map(present)
                    .map_err(std::io::Error::from)
                    .and_then(|()| file.write_all(b"\n"))
                    .map_err(|error| DataError::write(&self.path, error))
            }
            Sink::Separated(writer) => writer
                .write_record(values.iter().map(|value| column::cell(value.as_ref())))
                .map_err(|error| DataError::write(&self.path, error)),
            Sink::Parquet(sink) => {
                sink.write(values).map_err(|error| DataError::write(&self.path, error))
            }
        }
    }

    fn check_extra(&self, row: &Row) -> Result<(), DataError> {
        let declared = |name: &str| {
            self.columns.iter().any(|column| column.name == name) && !Row::COLUMNS.contains(&name)
        };
        match row.extra.keys().find(|name| !declared(name)) {
            None => Ok(()),
            Some(name) => Err(DataError::UndeclaredColumn {
                path: self.path.clone(),
                row: self.rows,
                column: name.clone(),
            }),
        }
    }

    /// A plain text that would be read back as a product object cannot be a cell.
    fn check_cells(&self, row: &Row) -> Result<(), DataError> {
        for (name, side) in [("left", &row.pair.left), ("right", &row.pair.right)] {
            if let Entity::Text(text) = side
                && entity::looks_like_object(text)
            {
                let column = Column::known(name);
                return Err(self.unstorable(&column, &text.as_str().into(), "a plain text cell"));
            }
        }
        Ok(())
    }

    fn unstorable(&self, column: &Column, value: &Value, kind: &'static str) -> DataError {
        DataError::Unstorable {
            path: self.path.clone(),
            row: self.rows,
            column: column.name.clone(),
            found: entity::shorten(value),
            kind,
        }
    }

    /// Writes what is still in memory and lets the file appear at its path.
    ///
    /// # Errors
    /// The disk refuses; nothing is left behind then.
    pub fn finish(self) -> Result<(), DataError> {
        let file = match self.sink {
            Sink::Jsonl(file) => file,
            Sink::Separated(writer) => writer
                .into_inner()
                .map_err(|error| DataError::write(&self.path, error.into_error()))?,
            Sink::Parquet(sink) => {
                sink.finish().map_err(|error| DataError::write(&self.path, error))?
            }
        };
        file.commit()
    }
}

/// Writes labelled pairs to one file. Optional columns are written where any example has them.
///
/// # Errors
/// As [`RowWriter`].
pub fn write_examples(path: impl AsRef<Path>, examples: &[Example]) -> Result<(), DataError> {
    let any = |test: fn(&Example) -> bool| examples.iter().any(test);
    let used = |name: &str| match name {
        "id" => any(|example| example.id.is_some()),
        "group" => any(|example| example.group.is_some()),
        "weight" => any(|example| example.weight != 1.0),
        "source" => any(|example| example.source.is_some()),
        "origin" => any(|example| example.origin.is_some()),
        "split" => any(|example| example.split.is_some()),
        _ => true,
    };
    let names = Row::COLUMNS.into_iter().filter(|name| used(name));
    let mut writer = RowWriter::create(path, names.map(Column::known).collect())?;
    for example in examples {
        writer.write(&Row::from(example.clone()))?;
    }
    writer.finish()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use sextant_core::{Grade, Task};

    /// Writes rows to a file whose device is full (`/dev/full` answers every write with ENOSPC).
    fn write_to_full_disk(path: &Path, rows: usize) -> Result<(), DataError> {
        let file = AtomicFile::create_on_full_disk(path)?;
        let columns = Row::COLUMNS.map(Column::known).to_vec();
        let mut writer = RowWriter::over(file, Format::of(path)?, columns)?;
        let row = Row::from(Example::new(Task::QueryQuery, "a", "b", Grade::Partial));
        for _ in 0..rows {
            writer.write(&row)?;
        }
        writer.finish()
    }

    #[test]
    fn full_disk_leaves_no_file_and_names_the_path() {
        for format in Format::ALL {
            // Few rows fail when the buffer is emptied at the end, many fail on the way.
            for rows in [1, 20_000] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join(format!("out.{}", format.extension()));
                let error = write_to_full_disk(&path, rows).unwrap_err().to_string();
                assert!(error.contains(&*path.to_string_lossy()), "{error}");
                assert!(error.contains("No space left on device"), "{error}");
                assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{format:?} {rows}");
            }
        }
    }
}
