//! Files of a Hugging Face hub repository, at a pinned revision.

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use sextant_model::bundle::sha256;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

/// A repository at a revision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repository {
    /// `owner/name`
    pub(crate) id: &'static str,
    /// The commit; whatever the name points to later, these are the files.
    pub(crate) revision: &'static str,
    /// The file of the weights.
    pub(crate) weights: &'static str,
}

impl Repository {
    /// The files that a backbone needs.
    pub(crate) fn files(&self) -> [&'static str; 3] {
        ["config.json", "tokenizer.json", self.weights]
    }

    /// Downloads the files into a folder, with a record of where each came from.
    pub(crate) fn download(&self, folder: &Path) -> anyhow::Result<()> {
        // As the hub's own clients: a mirror by environment.
        let endpoint = std::env::var("HF_ENDPOINT").ok().filter(|value| !value.is_empty());
        let endpoint = endpoint.unwrap_or_else(|| "https://huggingface.co".to_owned());
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(20)))
            .http_status_as_error(false)
            .build()
            .into();
        let mut files = serde_json::Map::new();
        for name in self.files() {
            let url = format!("{endpoint}/{}/resolve/{}/{name}", self.id, self.revision);
            let path = folder.join(name);
            fetch(&agent, &url, &path)?;
            files.insert(name.to_owned(), sha256(&path)?.into());
        }
        let record = serde_json::json!({
            "repository": self.id, "revision": self.revision, "sha256": files,
        });
        let path = folder.join("source.json");
        std::fs::write(&path, serde_json::to_vec_pretty(&record)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

fn fetch(agent: &ureq::Agent, url: &str, path: &Path) -> anyhow::Result<()> {
    let mut request = agent.get(url);
    if let Ok(token) = std::env::var("HF_TOKEN") {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut response = request.call().with_context(|| format!("cannot reach {url}"))?;
    let status = response.status();
    if !status.is_success() {
        bail!("{url} answers {status}; a repository that asks for terms needs `HF_TOKEN`");
    }
    let length: Option<u64> = response
        .headers()
        .get("content-length")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    {
        bar.set_style(style);
    }
    bar.set_message(url.rsplit('/').next().unwrap_or_default().to_owned());
    let failed = || format!("cannot write {}", path.display());
    let mut file = std::fs::File::create(path).with_context(failed)?;
    let mut body = response.body_mut().as_reader();
    let (mut buffer, mut received) = (vec![0; 1 << 16], 0u64);
    loop {
        match body.read(&mut buffer).with_context(|| format!("{url} broke off"))? {
            0 => break,
            count => {
                file.write_all(&buffer[..count]).with_context(failed)?;
                received += count as u64;
                bar.set_position(received);
            }
        }
    }
    bar.finish_and_clear();
    ensure!(
        length.is_none_or(|length| length == received),
        "{url} broke off after {received} bytes; try again"
    );
    Ok(())
}
