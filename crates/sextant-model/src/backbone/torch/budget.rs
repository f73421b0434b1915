//! The limit on the memory that the pickles of a file may take.

use std::io;

/// The memory of a value besides its text, in bytes: the value itself, and its place in a stack, list or
/// dictionary.
pub(super) const VALUE: u64 = 128;
/// The memory that any file may take, in bytes.
const BASE: u64 = 16 << 20;
/// The memory that each byte of the file may take in addition. An instruction of one byte makes at most one
/// value, so that programs that copy few values are not refused.
const PER_BYTE: u64 = VALUE;
/// The most memory that any file may take, in bytes: the pickle of three hundred thousand tensors takes this
/// much.
const MOST: u64 = 4 << 30;

/// Why a pickle is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It would take too much memory for the length of its file.
    #[error("{0}")]
    TooMuch(String),
    /// It is not a pickle, or is cut off.
    #[error("{0}")]
    Damaged(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// The memory that the pickles of a file may take, and how much of it is used.
#[derive(Debug)]
pub(super) struct Budget {
    file: u64,
    most: u64,
    used: u64,
}

impl Budget {
    /// The budget of a file of this many bytes.
    pub(super) fn of_file(length: u64) -> Self {
        let most = length.saturating_mul(PER_BYTE).saturating_add(BASE).min(MOST);
        Self { file: length, most, used: 0 }
    }

    /// Uses this many bytes of the budget; fails if that is more than is left.
    pub(super) fn charge(&mut self, bytes: u64) -> Result<(), Error> {
        self.used = self.used.saturating_add(bytes);
        if self.used <= self.most {
            return Ok(());
        }
        Err(Error::TooMuch(format!(
            "its pickle would take more than {} MiB of memory, in a file of {} bytes: it repeats its values many times over, which no checkpoint does; it is damaged or made to do harm, so take it from another source, or as safetensors",
            self.most >> 20,
            self.file
        )))
    }
}
