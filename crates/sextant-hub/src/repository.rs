//! The files of a repository of the Hugging Face hub, at a pinned revision.

use crate::download::Wanted;
use crate::{Client, DownloadObserver, HubError};
use serde_json::{Map, Value};
use sextant_files::sha256;
use std::path::Path;

/// A repository at a revision.
#[derive(Debug, Clone, Copy)]
pub struct Repository {
    /// `owner/name`
    pub id: &'static str,
    /// The commit, which pins the files, whatever is pushed to the repository later.
    pub revision: &'static str,
    /// The file of the weights.
    pub weights: &'static str,
}

impl Repository {
    /// The files that a backbone needs.
    pub fn files(&self) -> [&'static str; 3] {
        ["config.json", "tokenizer.json", self.weights]
    }

    /// Downloads the files that are not in a folder yet, and returns the SHA-256 of each of the repository's
    /// files.
    pub(crate) fn download(
        &self,
        client: &Client,
        folder: &Path,
        observer: &mut dyn DownloadObserver,
    ) -> Result<Map<String, Value>, HubError> {
        let mut files = Map::new();
        for name in self.files() {
            let address = client.address(&format!("{}/resolve/{}/{name}", self.id, self.revision));
            let path = folder.join(name);
            let hash = if path.exists() {
                sha256(&path)?
            } else {
                let wanted =
                    Wanted { url: &address, file: name, path: &path, commit: Some(self.revision) };
                client.fetch(wanted, observer)?
            };
            files.insert(name.to_owned(), hash.into());
        }
        Ok(files)
    }
}
