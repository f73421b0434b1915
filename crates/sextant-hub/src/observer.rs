//! What a download tells those who watch it.

use std::ops::ControlFlow;

/// Something that happened in a download.
#[derive(Debug, Clone, Copy)]
pub enum DownloadEvent<'a> {
    /// A file is asked for, from its first byte or from where an earlier attempt broke off.
    Started {
        /// The file's name in the backbone's folder.
        file: &'a str,
        /// How many bytes of it are there.
        bytes: u64,
        /// How many it has, where the server says it.
        total: Option<u64>,
    },
    /// More of the file has come.
    Received {
        /// How many bytes of it are there.
        bytes: u64,
    },
    /// The file is whole, or the attempt has ended without it.
    Ended,
    /// A server was asked and has not answered yet, an attempt is made again soon, or packages are
    /// fetched. Told again and again, so that an observer that wants an end is asked soon; while a connection is
    /// silent nothing is told, for as long as the [`Client`](crate::Client) lets it be.
    Waiting,
}

/// Hears how far a download has come, and may end it.
pub trait DownloadObserver {
    /// Called for each event, in order. To break ends the download, in good order; after
    /// [`DownloadEvent::Ended`] it changes nothing, and the next file's [`DownloadEvent::Started`] asks again.
    fn on_event(&mut self, event: DownloadEvent<'_>) -> ControlFlow<()>;
}
