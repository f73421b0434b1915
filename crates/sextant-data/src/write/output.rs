//! The destination of written bytes: a file that appears whole or not at all, or a stream.

use crate::DataError;
use sextant_files::{AtomicFile, Existing};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The destination of a [`BatchWriter`](super::BatchWriter).
///
/// A path names a file, which appears when everything is written. `-` is standard output. If the path is a
/// FIFO or a device, bytes are written to it directly.
pub struct Output {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    File(AtomicFile),
    Stream(BufWriter<Box<dyn Write + Send>>),
}

impl Output {
    /// Opens the destination that a path names; `existing` says whether an existing file may be replaced.
    ///
    /// # Errors
    /// The path is a folder, or a file that must not be replaced or that another process is writing, or it
    /// cannot be written to.
    pub fn open(path: impl AsRef<Path>, existing: Existing) -> Result<Self, DataError> {
        let path = path.as_ref();
        if path == Path::new("-") {
            return Ok(Self::stream("standard output", Box::new(std::io::stdout())));
        }
        let is_stream = std::fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir());
        if is_stream {
            let file = File::options().write(true).open(path);
            let file = file.map_err(|source| DataError::write(path, source))?;
            return Ok(Self::stream(path, Box::new(file)));
        }
        Ok(Self { path: path.to_owned(), bytes: Bytes::File(AtomicFile::create(path, existing)?) })
    }

    /// An output that writes to a stream; messages name it by `name`.
    pub fn stream(name: impl Into<PathBuf>, stream: Box<dyn Write + Send>) -> Self {
        let stream = BufWriter::with_capacity(1 << 16, stream);
        Self { path: name.into(), bytes: Bytes::Stream(stream) }
    }

    /// The path of the file or the name of the stream, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file appear at its path, or flushes the stream.
    ///
    /// # Errors
    /// The file or the stream cannot be written to, for example because the reader of a pipe has ended.
    pub fn commit(self) -> Result<(), DataError> {
        match self.bytes {
            Bytes::File(file) => Ok(file.commit()?),
            Bytes::Stream(mut stream) => {
                stream.flush().map_err(|source| DataError::write(&self.path, source))
            }
        }
    }
}

impl From<AtomicFile> for Output {
    fn from(file: AtomicFile) -> Self {
        Self { path: file.path().to_owned(), bytes: Bytes::File(file) }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.bytes {
            Bytes::File(file) => file.write(bytes),
            Bytes::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.bytes {
            Bytes::File(file) => file.flush(),
            Bytes::Stream(stream) => stream.flush(),
        }
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("path", &self.path).finish_non_exhaustive()
    }
}
