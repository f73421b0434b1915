//! Files of a Hugging Face hub repository, at a pinned revision.

use crate::download::{Client, Wanted};
use serde_json::{Map, Value};
use sextant_files::sha256;
use std::path::Path;

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

    /// Downloads the files into a folder, those that an earlier attempt did not bring; returns the SHA-256
    /// of each.
    pub(crate) fn download(
        &self,
        client: &Client,
        folder: &Path,
    ) -> anyhow::Result<Map<String, Value>> {
        // As the hub's own clients: a mirror by environment.
        let endpoint = std::env::var("HF_ENDPOINT").ok().filter(|value| !value.trim().is_empty());
        let endpoint = endpoint.unwrap_or_else(|| "https://huggingface.co".to_owned());
        let endpoint = endpoint.trim().trim_end_matches('/');
        let mut files = Map::new();
        for name in self.files() {
            let url = format!("{endpoint}/{}/resolve/{}/{name}", self.id, self.revision);
            let path = folder.join(name);
            let hash = if path.exists() {
                sha256(&path)?
            } else {
                let commit = Some(self.revision);
                client.fetch(Wanted { url: &url, path: &path, commit })?
            };
            files.insert(name.to_owned(), hash.into());
        }
        Ok(files)
    }
}
