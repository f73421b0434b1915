//! Writes files and folders that are either whole or absent, and that never replace the user's own files.
//!
//! Everything that Sextant leaves on a disk is written through this crate. An [`AtomicFile`] or
//! [`replace_folder`] writes under a temporary name beside the target and moves the result to the target in one
//! step. A process that fails, is killed or loses power leaves either the old content or the new one.
//! [`append_line`] does the same for one line of a file. [`Existing`] states what happens to something that is
//! at the target already, and [`OwnFiles`] records which files of a folder this program wrote. A [`Lock`] keeps
//! two processes from writing to the same place. [`sha256`] is the hash of a file.

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
mod users_cache;

pub use append::append_line;
pub use atomic::AtomicFile;
pub use error::FileError;
pub use existing::Existing;
pub use folder::{FolderKind, remove_folder, replace_folder};
pub use hash::{hexadecimal, sha256};
pub use lock::Lock;
pub use own::OwnFiles;
pub use unfinished::Unfinished;
pub use users_cache::users_cache;
