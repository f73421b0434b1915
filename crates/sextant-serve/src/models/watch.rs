//! Reloading models whose folders changed.

use super::folder::FolderState;
use super::registry::{Registry, reload};
use crate::meters::Meters;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When a model that could not be opened is tried again although its folder has not changed: what was wrong may
/// have been the moment, such as a folder that was being copied.
const RETRY: Duration = Duration::from_mins(1);

/// Looks at the folders of open models every `interval`, forever, and reloads a model whose folder changed. Folders are
/// read rather than watched, because notifications do not reach network file systems and mounted volumes of
/// clusters.
pub(crate) async fn watch(registry: Arc<Registry>, interval: Duration, meters: Arc<Meters>) {
    // What was tried last under each name, and when.
    let mut tried: HashMap<String, (FolderState, Instant)> = HashMap::new();
    loop {
        tokio::time::sleep(interval).await;
        for slot in registry.slots() {
            if slot.opened().is_none() {
                continue;
            }
            let looked = Arc::clone(slot);
            let found = tokio::task::spawn_blocking(move || looked.look());
            // A folder without a manifest is one that is being replaced, or gone; the model answers on.
            let Ok(Ok(found)) = found.await else { continue };
            if slot.is_open_as(&found) {
                // What failed was taken back: the folder holds the open model again.
                tried.remove(slot.name());
                if slot.has_problem() {
                    reload(slot, &meters).await;
                }
                continue;
            }
            let before = tried.get(slot.name());
            let again = before.is_none_or(|(state, at)| *state != found || at.elapsed() > RETRY);
            if again {
                tried.insert(slot.name().to_owned(), (found, Instant::now()));
                reload(slot, &meters).await;
            }
        }
    }
}
