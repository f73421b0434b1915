use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// A file's bytes, read from disk as they are looked at.
///
/// Pages come from the system's file cache and are shared by all processes that map the file, so
/// a model starts as fast as its weights are used. The file must not be changed in place while it
/// is mapped: replace it by renaming a new one over it, as bundles are.
#[derive(Debug)]
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps a whole file for reading.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is private and read-only. That nobody writes into the file meanwhile
        // is the documented contract, kept by all writers of this workspace, which rename whole
        // files into place; what is read is plain bytes that are checked as any input.
        Ok(Self(unsafe { Mmap::map(&file) }?))
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
