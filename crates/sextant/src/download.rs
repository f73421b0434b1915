//! One file from the net: taken up where it broke off, checked when it is whole.

use anyhow::{Context, anyhow, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use sextant_files::sha256;
use std::fs::File;
use std::io::{Read, Write};
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

/// Who asks.
pub(crate) struct Client {
    agent: ureq::Agent,
    token: Option<String>,
    idle: Duration,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Where it is.
    pub(crate) url: &'a str,
    /// Where it goes; until it is whole it is beside that, with `.part` at the end of its name.
    pub(crate) path: &'a Path,
    /// The commit that a server which says what it serves must say.
    pub(crate) commit: Option<&'a str>,
}

/// Why an attempt ended early.
enum Fault {
    /// Asking again may help.
    Broke(anyhow::Error),
    /// It will not.
    Final(anyhow::Error),
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        Self::Final(error)
    }
}

impl Client {
    /// One that gives up on a connection which brings nothing for `idle`. The token of the environment is
    /// sent to the host that is asked, and to no other that its answer points to.
    pub(crate) fn new(idle: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(idle.min(Duration::from_secs(20))))
            .timeout_recv_response(Some(idle))
            .timeout_per_read(Some(idle))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .into();
        let token = std::env::var("HF_TOKEN").unwrap_or_default().trim().to_owned();
        Self { agent, token: Some(token).filter(|token| !token.is_empty()), idle }
    }

    /// Fetches a file, going on from what an earlier attempt left; returns its SHA-256, which is the one that
    /// the server states, if it does. (Parts of a commit's file never change.)
    pub(crate) fn fetch(&self, wanted: Wanted<'_>) -> anyhow::Result<String> {
        let part = part_of(wanted.path);
        let mut stated = None;
        let (mut failed, mut had) = (0, length(&part));
        loop {
            match self.attempt(wanted, &part, &mut stated) {
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
                        bail!("{error:#}; {kept}");
                    }
                    std::thread::sleep(Duration::from_millis(200) * failed);
                }
            }
        }
        let found = sha256(&part)?;
        if let Some(expected) = stated.filter(|stated| *stated != found) {
            std::fs::remove_file(&part)
                .with_context(|| format!("cannot remove {}", part.display()))?;
            bail!(
                "{} has SHA-256 {found}, expected {expected}; it was removed, run the command again, and if it stays so, do not use what is served there",
                wanted.url
            );
        }
        std::fs::rename(&part, wanted.path)
            .with_context(|| format!("cannot create {}", wanted.path.display()))?;
        Ok(found)
    }

    /// Asks once, from the end of what is there.
    fn attempt(
        &self,
        wanted: Wanted<'_>,
        part: &Path,
        stated: &mut Option<String>,
    ) -> Result<(), Fault> {
        let had = length(part);
        let (mut response, about) = self.ask(wanted, had, stated)?;
        let status = response.status().as_u16();
        let whole = number(response.headers(), CONTENT_LENGTH.as_str());
        let (start, total) = match status {
            200 => (0, whole),
            206 => match range(response.headers()) {
                Some((start, total)) if start == had => (start, total),
                _ => {
                    truncate(part)?;
                    return Err(Fault::Broke(anyhow!(
                        "{about} answers with another part than asked for"
                    )));
                }
            },
            // Nothing after the end of what is there: it is whole, or another file's.
            416 if range(response.headers()).and_then(|(_, total)| total) == Some(had) => {
                return Ok(());
            }
            416 => {
                truncate(part)?;
                return Err(Fault::Broke(anyhow!("{about} is shorter than what was kept of it")));
            }
            429 | 500..=599 => {
                return Err(Fault::Broke(anyhow!("{about} answers {}", response.status())));
            }
            401 | 403 => {
                return Err(Fault::Final(anyhow!(
                    "{about} answers {}; accept the repository's terms on its page and set `HF_TOKEN`",
                    response.status()
                )));
            }
            _ => {
                return Err(Fault::Final(anyhow!(
                    "{about} answers {}; check the name, and `HF_ENDPOINT` if it is set",
                    response.status()
                )));
            }
        };
        let mut file = open(part, start > 0)?;
        let bar = progress(wanted.path, total, start);
        let mut body = response.body_mut().as_reader();
        let (mut buffer, mut has) = (vec![0; 1 << 16], start);
        let broke = loop {
            match body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => {
                    file.write_all(&buffer[..count])
                        .with_context(|| format!("cannot write {}", part.display()))?;
                    has += count as u64;
                    bar.set_position(has);
                }
                Err(error) => break Some(error),
            }
        };
        bar.finish_and_clear();
        file.sync_all().with_context(|| format!("cannot write {}", part.display()))?;
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        match broke {
            Some(error) => Err(Fault::Broke(anyhow!(
                "{about} broke off after {has}{of} bytes: {error} (a connection may be silent for {} s)",
                self.idle.as_secs_f32()
            ))),
            None if total.is_some_and(|total| total != has) => {
                Err(Fault::Broke(anyhow!("{about} broke off after {has}{of} bytes")))
            }
            None => Ok(()),
        }
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
            let response = request
                .call()
                .map_err(|error| Fault::Broke(anyhow!("cannot reach {about}: {error}")))?;
            Self::check(response.headers(), wanted, stated)?;
            if !response.status().is_redirection() {
                return Ok((response, about));
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or_else(|| anyhow!("{about} points elsewhere without saying where"))?;
            url = if to.starts_with('/') { format!("{}{to}", host(&url)) } else { to.to_owned() };
        }
        Err(Fault::Final(anyhow!("{} points elsewhere more than {REDIRECTS} times", wanted.url)))
    }

    /// What a server says about the file that it serves.
    fn check(
        headers: &HeaderMap,
        wanted: Wanted<'_>,
        stated: &mut Option<String>,
    ) -> anyhow::Result<()> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let (Some(found), Some(expected)) = (text(COMMIT), wanted.commit) {
            ensure!(
                found == expected,
                "{} is served from commit {found}, expected {expected}; use another mirror (`HF_ENDPOINT`)",
                wanted.url
            );
        }
        let hash = text(LINKED).map(|value| value.trim_start_matches("W/").trim_matches('"'));
        if let Some(hash) = hash.filter(|hash| hash.len() == 64) {
            *stated = Some(hash.to_owned());
        }
        Ok(())
    }
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

fn open(part: &Path, append: bool) -> anyhow::Result<File> {
    let mut options = File::options();
    options.create(true).append(append).write(true).truncate(!append);
    options.open(part).with_context(|| format!("cannot write {}", part.display()))
}

fn truncate(part: &Path) -> anyhow::Result<()> {
    open(part, false).map(drop)
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

fn progress(path: &Path, total: Option<u64>, start: u64) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    {
        bar.set_style(style);
    }
    bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    bar.set_position(start);
    bar
}
