//! Opens the data that a user's path stands for.
//!
//! The path is a file, a pipe, standard input (`-`), a folder of parts, or a pattern such as
//! `part-*.parquet`. It becomes an [`Input`]: parts of one format that are read one after another. An
//! [`Input`] opens each part only once, because a pipe gives its bytes only once. Text is given
//! decompressed and in UTF-8, whatever the file's compression and encoding; a Parquet part is given as
//! the file itself, since Parquet is read from its end.

mod parts;

pub use parts::{holds_input, is_among};
mod sniff;
mod text;

pub(crate) use parts::is_part_name;

use crate::{DataError, Encoding, Format, ReadOptions};
use std::fs::File;
use std::io::{BufRead, Read, Seek, SeekFrom, Stdin};
use std::path::{Path, PathBuf};

/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// One or more parts of one format, in the order of their names.
///
/// Iterating opens one part after another; the first part is open already.
pub struct Input {
    path: PathBuf,
    format: Format,
    encoding: Encoding,
    parts: Vec<PathBuf>,
    first: Option<Part>,
    next: usize,
}

/// One part of an [`Input`], opened.
pub struct Part {
    /// The part's file, for messages.
    pub path: PathBuf,
    /// The part's content.
    pub content: Content,
}

/// The content of a part.
pub enum Content {
    /// JSONL, CSV or TSV: decompressed, without a byte order mark, in UTF-8. If the options state UTF-8,
    /// bytes that are not UTF-8 are given as they are.
    Text(Box<dyn BufRead + Send>),
    /// A Parquet file, positioned at its start.
    Table(File),
}

impl Input {
    /// Finds the parts of `path` and opens the first.
    ///
    /// The format is that of `options`; if they state none, that of the name's extension; if the name
    /// has none, the one that is recognized in the content.
    ///
    /// # Errors
    /// Nothing is at the path, the parts have several formats or an unknown one, or the content is not
    /// of the format that the name states.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        let path = path.as_ref();
        Self::of_parts(path, parts_of(path)?, options)
    }

    /// Opens the first of parts that are already known; `path` names all of them in messages.
    ///
    /// # Errors
    /// The errors of [`Input::open`].
    pub fn of_parts(
        path: impl AsRef<Path>,
        parts: Vec<PathBuf>,
        options: &ReadOptions,
    ) -> Result<Self, DataError> {
        let path = path.as_ref();
        let Some(first) = parts.first() else {
            return Err(DataError::unusable(path, "there are no data files in it"));
        };
        let (format, first) = open(first, options.format, options.encoding)?;
        let input = Self {
            path: path.to_owned(),
            format,
            encoding: options.encoding,
            first: Some(first),
            parts,
            next: 0,
        };
        // A part of another format is reported before rows of the first part are read.
        for part in &input.parts[1..] {
            if let Some(other) = Format::of_input(part)
                && options.format.is_none()
                && other != format
            {
                return Err(input.mixed(part, other));
            }
        }
        Ok(input)
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format of every part.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The files, in the order in which they are read.
    pub fn parts(&self) -> &[PathBuf] {
        &self.parts
    }

    /// Whether the path can be opened again and then gives the same rows. This is so if all parts are
    /// ordinary files.
    pub fn is_reopenable(&self) -> bool {
        self.parts.iter().all(|part| part.is_file())
    }

    fn mixed(&self, part: &Path, format: Format) -> DataError {
        let (first, one, other) = (self.parts[0].display(), self.format, format);
        let problem = format!(
            "{first} is {one} and {} is {other}; the parts of one input must be of one format",
            part.display()
        );
        DataError::unusable(&self.path, problem)
    }
}

impl Iterator for Input {
    type Item = Result<Part, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.parts.get(self.next)?;
        self.next += 1;
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        // If a part's name does not state a format, its content must be of the input's format.
        let format = Format::of_input(path).map(|_| self.format).or_else(|| {
            // CSV and TSV cannot be recognized by their content.
            matches!(self.format, Format::Csv | Format::Tsv).then_some(self.format)
        });
        Some(open(path, format, self.encoding).and_then(|(format, part)| {
            if format == self.format { Ok(part) } else { Err(self.mixed(path, format)) }
        }))
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Input");
        debug.field("path", &self.path).field("format", &self.format).finish_non_exhaustive()
    }
}

/// The files that a path stands for, in the order in which they are read.
pub(crate) fn parts_of(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(parts::of_path(path)?.unwrap_or_else(|| vec![path.to_owned()]))
}

/// The source of a part's bytes.
enum ByteSource {
    /// An ordinary file, which can be read from any position.
    File(File),
    /// A named pipe or a device.
    Pipe(File),
    Standard(Stdin),
}

impl ByteSource {
    fn open(path: &Path) -> std::io::Result<Self> {
        if path.as_os_str() == STANDARD_INPUT {
            return Ok(Self::Standard(std::io::stdin()));
        }
        let file = File::open(path)?;
        Ok(if file.metadata()?.is_file() { Self::File(file) } else { Self::Pipe(file) })
    }
}

impl Read for ByteSource {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) | Self::Pipe(file) => file.read(buffer),
            Self::Standard(input) => input.read(buffer),
        }
    }
}

/// Opens one part, and determines its format if `format` does not state it.
fn open(
    path: &Path,
    format: Option<Format>,
    encoding: Encoding,
) -> Result<(Format, Part), DataError> {
    let name = if path.as_os_str() == STANDARD_INPUT { Path::new("standard input") } else { path };
    let read = |source| DataError::read(name, source);
    let mut source = ByteSource::open(path).map_err(read)?;
    let format = format.or_else(|| Format::of_input(path));
    let head = text::head(&mut source).map_err(read)?;
    let is_table = head.starts_with(sniff::PARQUET);
    if is_table && format.is_some_and(|format| format != Format::Parquet) {
        let problem = "the content is Parquet; give the file the extension .parquet, or say \
            `--input-format parquet`";
        return Err(DataError::unusable(name, problem));
    }
    if is_table || format == Some(Format::Parquet) {
        if let Some((found, fix)) = sniff::foreign(&head) {
            return Err(DataError::unusable(name, format!("the content is {found}; {fix}")));
        }
        if sniff::compression(&head).is_some() {
            let problem = "a compressed Parquet file; unpack it, Parquet compresses by itself";
            return Err(DataError::unusable(name, problem));
        }
        let ByteSource::File(mut file) = source else {
            let problem = "Parquet is read from its end, which a pipe does not have; save it as a \
                file and give its path";
            return Err(DataError::unusable(name, problem));
        };
        file.seek(SeekFrom::Start(0)).map_err(read)?;
        let part = Part { path: name.to_owned(), content: Content::Table(file) };
        return Ok((Format::Parquet, part));
    }
    let mut text = text::open(head, source, encoding, name)?;
    let format = match format {
        Some(format) => format,
        None => sniff::text_format(text.fill_buf().map_err(read)?).ok_or_else(|| {
            let problem = "unknown format; name the file .jsonl, .csv, .tsv or .parquet (.gz or \
                .zst may follow), or say `--input-format csv`";
            DataError::unusable(name, problem)
        })?,
    };
    Ok((format, Part { path: name.to_owned(), content: Content::Text(text) }))
}

#[cfg(test)]
mod tests;
