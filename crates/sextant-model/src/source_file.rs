//! An open file whose parts are read when they are asked for.

use crate::ModelError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Bytes that are read, hashed and checked at a time, while they are in the processor's cache.
pub(crate) const PIECE: usize = 1 << 20;

/// A file that stays open from the reading of its header to that of its last tensor, so that one put in its
/// place meanwhile plays no part. Parts are read, not mapped: of a mapped file that somebody cuts, the
/// next access would end the process.
#[derive(Debug)]
pub(crate) struct SourceFile {
    path: PathBuf,
    file: Mutex<File>,
    length: u64,
    modified: Option<SystemTime>,
}

impl SourceFile {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let failed = || ModelError::io("read", path);
        let file = File::open(path).map_err(failed())?;
        let about = file.metadata().map_err(failed())?;
        if !about.is_file() {
            return Err(ModelError::Weights {
                path: path.to_owned(),
                problem: "is not a regular file".into(),
            });
        }
        let (length, modified) = (about.len(), about.modified().ok());
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), length, modified })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes it had when it was opened.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Nothing is left half-done by a reader that panics: each one seeks first.
    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `bytes` with those from `start` on.
    pub(crate) fn read(&self, start: u64, bytes: &mut [u8]) -> Result<(), ModelError> {
        let mut file = self.lock();
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(bytes))
            .map_err(ModelError::io("read", &self.path))
    }

    /// `length` bytes from `start` on, which the file must have: nothing is allocated for more.
    pub(crate) fn bytes(&self, start: u64, length: u64) -> Result<Vec<u8>, ModelError> {
        let fits = start.checked_add(length).is_some_and(|end| end <= self.length);
        let length = usize::try_from(length).ok().filter(|_| fits);
        let length = length.ok_or_else(|| ModelError::Weights {
            path: self.path.clone(),
            problem: "is cut off; fetch or copy it again".into(),
        })?;
        let mut bytes = vec![0; length];
        self.read(start, &mut bytes)?;
        Ok(bytes)
    }

    /// A reader from `start` on, which must be the only one.
    pub(crate) fn reader(&self, start: u64) -> Result<impl Read + '_, ModelError> {
        let mut file = self.lock();
        file.seek(SeekFrom::Start(start)).map_err(ModelError::io("read", &self.path))?;
        Ok(std::io::BufReader::with_capacity(1 << 16, Locked(file)))
    }

    /// SHA-256 of the whole file, in hexadecimal.
    pub(crate) fn sha256(&self) -> Result<String, ModelError> {
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < self.length {
            let count = (self.length - at).min(PIECE as u64);
            // at most PIECE, which is a usize
            let part = &mut piece[..count as usize];
            self.read(at, part)?;
            hasher.update(part);
            at += count;
        }
        Ok(sextant_files::hexadecimal(&hasher.finalize()))
    }

    /// Fails if somebody wrote into the file since it was opened: what was read may be neither the old
    /// contents nor the new ones.
    pub(crate) fn check_unchanged(&self) -> Result<(), ModelError> {
        let about = self.lock().metadata().map_err(ModelError::io("read", &self.path))?;
        if about.len() == self.length && about.modified().ok() == self.modified {
            return Ok(());
        }
        Err(ModelError::Weights {
            path: self.path.clone(),
            problem: "was changed while it was read; wait until it is whole, and start again"
                .into(),
        })
    }
}

/// The file while nobody else can move its place.
struct Locked<'a>(MutexGuard<'a, File>);

impl Read for Locked<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(bytes)
    }
}
