//! One file from the net: taken up where it broke off, checked when it is whole.

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

/// How often a file is asked for without a byte more of it.
const ATTEMPTS: u32 = 4;
/// How often an answer may point elsewhere.
const REDIRECTS: u32 = 8;
/// The hub's name for the commit that it serves.
const COMMIT: &str = "x-repo-commit";
/// The hub's name for the SHA-256 of a large file.
const LINKED: &str = "x-linked-etag";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Where it is.
    pub(crate) url: &'a str,
    /// What to call it.
    pub(crate) file: &'a str,
    /// Where it goes; until it is whole it is beside that, with `.part` at the end of its name.
    pub(crate) path: &'a Path,
    /// The commit that a server which says what it serves must say.
    pub(crate) commit: Option<&'a str>,
}

/// Why an attempt ended early.
enum Fault {
    /// Asking again may help.
    Broke(HubError),
    /// It will not.
    Final(HubError),
}

impl<E: Into<HubError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

impl Client {
    /// Fetches a file, going on from what an earlier attempt left; returns its SHA-256, which is the one that
    /// the server states, if it does. (Parts of a commit's file never change.)
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

    /// Asks once, from the end of what is there.
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
            // Nothing after the end of what is there: it is whole, or another file's.
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
        let _ = observer.on_event(DownloadEvent::Ended); // it has ended anyway
        received
    }

    /// Writes what an answer brings to the end of a file.
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

    /// Asks for a file from a byte on, wherever answers point to; returns the answer and what to call it.
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

    /// What a server says about the file that it serves.
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

/// What is known of a file whose bytes come in.
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

/// Scheme and host of an address.
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

/// Opens a file to be written, from its end or anew.
fn open(part: &Path, append: bool) -> Result<File, FileError> {
    let mut options = File::options();
    options.create(true).append(append).write(true).truncate(!append);
    options.open(part).map_err(FileError::io("write", part))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// Start and whole length of `Content-Range: bytes START-END/TOTAL` or `bytes */TOTAL`.
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (span, total) = text.split_once('/')?;
    let start = span.split_once('-').and_then(|(start, _)| start.parse().ok()).unwrap_or(0);
    Some((start, total.parse().ok()))
}
