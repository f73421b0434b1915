//! How much memory the pickles of a file may take.

use std::io;

/// What a value takes beside its text: the value itself, and its place in a stack, list or dictionary.
pub(super) const VALUE: u64 = 128;
/// What any file may take, in bytes.
const BASE: u64 = 16 << 20;
/// What each byte of the file may take beside it. An instruction of one byte makes one value, so that no
/// program is refused that copies little.
const PER_BYTE: u64 = VALUE;
/// What no file may take more of, in bytes: the pickle of three hundred thousand tensors takes this.
const MOST: u64 = 4 << 30;

/// Why a pickle is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It would take memory out of proportion.
    #[error("{0}")]
    TooMuch(String),
    /// It is no pickle, or not whole.
    #[error("{0}")]
    Damaged(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// What the pickles of a file may still take.
#[derive(Debug)]
pub(super) struct Budget {
    file: u64,
    most: u64,
    used: u64,
}

impl Budget {
    /// For a file of this many bytes.
    pub(super) fn of_file(length: u64) -> Self {
        let most = length.saturating_mul(PER_BYTE).saturating_add(BASE).min(MOST);
        Self { file: length, most, used: 0 }
    }

    /// Takes bytes from it.
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
