//! What a model's folder holds, as far as it can be seen without reading weights.

use sextant_files::hexadecimal;
use sextant_infer::EnsembleManifest;
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The state of a folder: the content of its manifest, and the size and the time of change of each of its files, and
/// the same of the members of an ensemble. Two states that are equal are the same model, unless somebody changed a
/// file and set its time back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FolderState {
    manifests: Vec<(PathBuf, String)>,
    files: Vec<(PathBuf, u64, Option<SystemTime>)>,
}

impl FolderState {
    /// The state of the bundle or ensemble in a folder now.
    ///
    /// # Errors
    /// The folder or its manifest is not there, such as while it is being replaced.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut state = Self { manifests: Vec::new(), files: Vec::new() };
        if EnsembleManifest::is_at(folder) {
            state.add(folder, "ensemble.json")?;
            // A manifest that cannot be read is another one than that of the open model, which is all that counts.
            let members = EnsembleManifest::read(folder).map(|manifest| manifest.members);
            for member in members.unwrap_or_default() {
                let member = folder.join(member.path);
                // So is an ensemble of which a member is away.
                if state.add(&member, "bundle.json").is_err() {
                    state.manifests.push((member, String::new()));
                }
            }
        } else {
            state.add(folder, "bundle.json")?;
        }
        state.files.sort();
        Ok(state)
    }

    fn add(&mut self, folder: &Path, manifest: &str) -> io::Result<()> {
        let path = folder.join(manifest);
        let hash = hexadecimal(&Sha256::digest(std::fs::read(&path)?));
        self.manifests.push((path, hash));
        self.list(folder)
    }

    fn list(&mut self, folder: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            // Links are followed: mounted volumes of clusters have each file as a link.
            let found = std::fs::metadata(&path)?;
            if found.is_dir() {
                self.list(&path)?;
            } else {
                self.files.push((path, found.len(), found.modified().ok()));
            }
        }
        Ok(())
    }
}
