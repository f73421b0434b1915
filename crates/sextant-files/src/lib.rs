//! Files and folders that are whole or absent.
//!
//! Everything that Sextant leaves on a disk goes through this crate: an [`AtomicFile`] or
//! [`replace_folder`] writes under another name, beside the place, and puts the result there in one
//! step, so that a process that fails or is killed leaves the old one or none. A [`FolderLock`] keeps
//! two processes from writing into one folder. [`sha256`] says what is in a file.

mod atomic;
mod error;
mod folder;
mod hash;
mod lock;

pub use atomic::AtomicFile;
pub use error::FileError;
pub use folder::{UNFINISHED, replace_folder};
pub use hash::{hexadecimal, sha256};
pub use lock::FolderLock;
