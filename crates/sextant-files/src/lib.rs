//! Files and folders that are whole or absent, and that never replace what is the user's.
//!
//! Everything that Sextant leaves on a disk goes through this crate. An [`AtomicFile`] or
//! [`replace_folder`] writes under another name, beside the place, and puts the result there in one
//! step, so that a process that fails, is killed or loses its power leaves the old one or the new one;
//! [`append_line`] does the same for a line. [`Existing`] says what happens to what is there already,
//! and [`OwnFiles`] remembers which files of a folder this program made. A [`Lock`] keeps two processes
//! from writing to one place. [`sha256`] says what is in a file.

mod append;
mod atomic;
mod disk;
mod error;
mod existing;
mod folder;
mod hash;
mod list;
mod lock;
mod own;
#[cfg(test)]
mod replay;
mod unfinished;

pub use append::append_line;
pub use atomic::AtomicFile;
pub use error::FileError;
pub use existing::Existing;
pub use folder::{FolderKind, remove_folder, replace_folder};
pub use hash::{hexadecimal, sha256};
pub use lock::Lock;
pub use own::OwnFiles;
pub use unfinished::Unfinished;
