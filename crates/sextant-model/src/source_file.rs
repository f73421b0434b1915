//! An open file whose parts are read on demand.

use crate::ModelError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How many bytes are read, hashed and checked at a time, so that they stay in the processor's cache.
pub(crate) const PIECE: usize = 1 << 20;

/// A file that stays open from the time its header is read until its last tensor is read, so that replacing
/// the file meanwhile has no effect. Its parts are read and not memory-mapped: if a mapped file is truncated
/// by another process, the next access ends this process.
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

    /// How many bytes the file had when it was opened.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Locks the file. A poisoned lock is no problem, because every reader seeks before it reads.
    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `bytes` with the file's bytes from `start` on.
    pub(crate) fn read(&self, start: u64, bytes: &mut [u8]) -> Result<(), ModelError> {
        let mut file = self.lock();
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(bytes))
            .map_err(ModelError::io("read", &self.path))
    }

    /// Reads `length` bytes from `start` on. If the file is not that long, this fails without allocating.
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

    /// A reader of the bytes from `start` on. It holds the file's lock, so that other reads wait until it is
    /// dropped.
    pub(crate) fn reader(&self, start: u64) -> Result<impl Read + '_, ModelError> {
        let mut file = self.lock();
        file.seek(SeekFrom::Start(start)).map_err(ModelError::io("read", &self.path))?;
        Ok(std::io::BufReader::with_capacity(1 << 16, Locked(file)))
    }

    /// The SHA-256 of the whole file, in hexadecimal.
    pub(crate) fn sha256(&self) -> Result<String, ModelError> {
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < self.length {
            let count = (self.length - at).min(PIECE as u64);
            // `count` is at most PIECE, so that the cast loses nothing.
            let part = &mut piece[..count as usize];
            self.read(at, part)?;
            hasher.update(part);
            at += count;
        }
        Ok(sextant_files::hexadecimal(&hasher.finalize()))
    }

    /// Fails if the length or the modification time of the file changed since it was opened. What was read
    /// may then be a mixture of old and new contents.
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

/// The locked file: no one else can change the position at which it is read.
struct Locked<'a>(MutexGuard<'a, File>);

impl Read for Locked<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(bytes)
    }
}
