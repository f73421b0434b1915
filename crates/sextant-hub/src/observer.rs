//! The events of a download, and the trait of their observers.

use std::ops::ControlFlow;

/// Something that happened in a download.
#[derive(Debug, Clone, Copy)]
pub enum DownloadEvent<'a> {
    /// The download of a file starts, from its first byte or from where an earlier attempt has stopped.
    Started {
        /// The file's name in the backbone's folder.
        file: &'a str,
        /// The number of bytes of the file that were received so far.
        bytes: u64,
        /// The size of the file in bytes, if the server states it.
        total: Option<u64>,
    },
    /// More bytes of the file were received.
    Received {
        /// The number of bytes of the file that were received so far.
        bytes: u64,
    },
    /// The file is whole, or the attempt has failed.
    Ended,
    /// Another attempt will be made soon, or packages are being downloaded. The event is repeated, so that an
    /// observer can end the download soon. There are no events while a connection is silent, for at most as
    /// long as the [`Client`](crate::Client) allows.
    Waiting,
}

/// Is told about the progress of a download, and may stop it.
pub trait DownloadObserver {
    /// Called for each event, in order. If it breaks, the download stops, and the bytes that were received are
    /// kept. Breaking at [`DownloadEvent::Ended`] has no effect; the next event is the
    /// [`DownloadEvent::Started`] of the next file.
    fn on_event(&mut self, event: DownloadEvent<'_>) -> ControlFlow<()>;
}
