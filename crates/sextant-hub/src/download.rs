//! Downloads a file: continues an interrupted download, and checks the file when it is whole.

use crate::{Client, DownloadEvent, DownloadObserver, HubError};
use sextant_files::{FileError, sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, LOCATION, RANGE,
};

/// The number of attempts in a row that bring no new byte of a file, after which the download fails.
const ATTEMPTS: u32 = 4;
/// The most redirects that are followed.
const REDIRECTS: u32 = 8;
/// The header in which the hub states the commit that it serves.
const COMMIT: &str = "x-repo-commit";
/// The header in which the hub states the SHA-256 of a large file.
const LINKED: &str = "x-linked-etag";

/// A file to be downloaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The address of the file.
    pub(crate) url: &'a str,
    /// The name of the file for the observer.
    pub(crate) file: &'a str,
    /// The path of the file. Until it is whole, `.part` is appended to this path.
    pub(crate) path: &'a Path,
    /// The commit of the file. If the server states a commit, it must be this one.
    pub(crate) commit: Option<&'a str>,
}

/// Why an attempt failed.
enum Fault {
    /// Another attempt may succeed.
    Broke(HubError),
    /// Another attempt would fail too.
    Final(HubError),
}

impl<E: Into<HubError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

impl Client {
    /// Downloads a file, from where an earlier attempt has stopped, and returns its SHA-256. If the server
    /// states a SHA-256, the file must have it. (A file of a commit never changes, so that parts from different
    /// attempts fit together.)
    pub(crate) fn fetch(
        &self,
        wanted: Wanted<'_>,
        observer: &mut dyn DownloadObserver,
    ) -> Result<String, HubError> {
        let part = part_of(wanted.path);
        let mut stated = None;
        let (mut failed, mut had) = (0, length(&part));
        loop {
            match self.attempt(wanted, &part, &mut stated, observer) {
                Ok(()) => break,
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Broke(error)) => {
                    let has = length(&part);
                    failed = if has > had { 1 } else { failed + 1 };
                    had = has;
                    if failed >= ATTEMPTS {
                        let kept = match has {
                            0 => "try again later".to_owned(),
                            _ => format!(
                                "{has} bytes are kept in {}: run the command again to go on from there",
                                part.display()
                            ),
                        };
                        return Err(HubError::GaveUp { source: Box::new(error), kept });
                    }
                    if observer.on_event(DownloadEvent::Waiting).is_break() {
                        return Err(HubError::Stopped);
                    }
                    std::thread::sleep(Duration::from_millis(200) * failed);
                }
            }
        }
        let found = sha256(&part)?;
        if let Some(expected) = stated.filter(|stated| *stated != found) {
            std::fs::remove_file(&part).map_err(FileError::io("remove", &part))?;
            return Err(HubError::OtherFile { address: wanted.url.to_owned(), found, expected });
        }
        std::fs::rename(&part, wanted.path).map_err(FileError::io("create", wanted.path))?;
        Ok(found)
    }

    /// Makes one request, for the bytes after those that were already received, and writes the answer to the
    /// file.
    fn attempt(
        &self,
        wanted: Wanted<'_>,
        part: &Path,
        stated: &mut Option<String>,
        observer: &mut dyn DownloadObserver,
    ) -> Result<(), Fault> {
        let had = length(part);
        let (response, address) = self.ask(wanted, had, stated)?;
        let whole = number(response.headers(), CONTENT_LENGTH.as_str());
        let status = response.status().to_string();
        let (start, total) = match response.status().as_u16() {
            200 => (0, whole),
            206 => match range(response.headers()) {
                Some((start, total)) if start == had => (start, total),
                _ => {
                    open(part, false)?;
                    return Err(Fault::Broke(HubError::OtherPart { address }));
                }
            },
            // The server has no bytes after those that are here. So the file is whole, or it is another file.
            416 if range(response.headers()).and_then(|(_, total)| total) == Some(had) => {
                return Ok(());
            }
            416 => {
                open(part, false)?;
                return Err(Fault::Broke(HubError::Shorter { address }));
            }
            429 | 500..=599 => return Err(Fault::Broke(HubError::Busy { address, status })),
            401 | 403 => return Err(Fault::Final(HubError::Forbidden { address, status })),
            _ => return Err(Fault::Final(HubError::Refused { address, status })),
        };
        let file = open(part, start > 0)?;
        let begin = DownloadEvent::Started { file: wanted.file, bytes: start, total };
        let received = match observer.on_event(begin) {
            ControlFlow::Break(()) => Err(Fault::Final(HubError::Stopped)),
            ControlFlow::Continue(()) => {
                let receipt = Receipt { part, address, start, total };
                self.receive(response, file, receipt, observer)
            }
        };
        let _ = observer.on_event(DownloadEvent::Ended); // the attempt has ended in any case
        received
    }

    /// Appends the body of an answer to a file.
    fn receive(
        &self,
        mut response: ureq::http::Response<ureq::Body>,
        mut file: File,
        Receipt { part, address, start, total }: Receipt<'_>,
        observer: &mut dyn DownloadObserver,
    ) -> Result<(), Fault> {
        let mut body = response.body_mut().as_reader();
        let (mut buffer, mut has) = (vec![0; 1 << 16], start);
        let source = loop {
            match body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => {
                    file.write_all(&buffer[..count]).map_err(FileError::io("write", part))?;
                    has += count as u64;
                }
                Err(error) => break Some(error),
            }
            if observer.on_event(DownloadEvent::Received { bytes: has }).is_break() {
                file.sync_all().map_err(FileError::io("write", part))?;
                return Err(Fault::Final(HubError::Stopped));
            }
        };
        file.sync_all().map_err(FileError::io("write", part))?;
        if source.is_none() && total.is_none_or(|total| total == has) {
            return Ok(());
        }
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let received = format!("{has}{of}");
        Err(Fault::Broke(HubError::BrokeOff { address, received, idle: self.idle, source }))
    }

    /// Requests a file from a byte on, and follows redirects. Returns the answer, and its address for messages.
    fn ask(
        &self,
        wanted: Wanted<'_>,
        from: u64,
        stated: &mut Option<String>,
    ) -> Result<(ureq::http::Response<ureq::Body>, String), Fault> {
        let mut url = wanted.url.to_owned();
        for _ in 0..REDIRECTS {
            let mut request = self.agent.get(&url);
            if let Some(token) = self.token.as_ref().filter(|_| host(&url) == host(wanted.url)) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let about = if url == wanted.url {
                url.clone()
            } else {
                format!("{} (at {})", wanted.url, host(&url))
            };
            let response = request.call().map_err(|error| unreachable(&about, error))?;
            Self::check(response.headers(), wanted, stated)?;
            if !response.status().is_redirection() {
                return Ok((response, about));
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or(HubError::NoLocation { address: about })?;
            url = if to.starts_with('/') { format!("{}{to}", host(&url)) } else { to.to_owned() };
        }
        let address = wanted.url.to_owned();
        Err(Fault::Final(HubError::Redirects { address, redirects: REDIRECTS }))
    }

    /// Checks the commit that a server states in its headers, and stores the SHA-256 that it states.
    fn check(
        headers: &HeaderMap,
        wanted: Wanted<'_>,
        stated: &mut Option<String>,
    ) -> Result<(), HubError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let other = |found: &&str| wanted.commit.is_some_and(|commit| commit != *found);
        if let Some(found) = text(COMMIT).filter(other) {
            return Err(HubError::OtherCommit {
                address: wanted.url.to_owned(),
                found: found.to_owned(),
                expected: wanted.commit.unwrap_or_default().to_owned(),
            });
        }
        let hash = text(LINKED).map(|value| value.trim_start_matches("W/").trim_matches('"'));
        if let Some(hash) = hash.filter(|hash| hash.len() == 64) {
            *stated = Some(hash.to_owned());
        }
        Ok(())
    }
}

/// What is known about an answer whose body is being received.
struct Receipt<'a> {
    part: &'a Path,
    address: String,
    start: u64,
    total: Option<u64>,
}

fn unreachable(address: &str, source: ureq::Error) -> Fault {
    let address = address.to_owned();
    Fault::Broke(HubError::Unreachable { address, source: Box::new(source) })
}

/// The scheme and the host of an address.
fn host(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    url[after..].find('/').map_or(url, |end| &url[..after + end])
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |about| about.len())
}

/// Opens a file for writing, at its end if `append`, else emptied.
fn open(part: &Path, append: bool) -> Result<File, FileError> {
    let mut options = File::options();
    options.create(true).append(append).write(true).truncate(!append);
    options.open(part).map_err(FileError::io("write", part))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// The start and the total length in `Content-Range: bytes START-END/TOTAL` or `bytes */TOTAL`.
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (span, total) = text.split_once('/')?;
    let start = span.split_once('-').and_then(|(start, _)| start.parse().ok()).unwrap_or(0);
    Some((start, total.parse().ok()))
}
