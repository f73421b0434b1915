//! Reloading models whose folders changed.

use super::registry::{Registry, reload};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When a model that could not be opened is tried again although its folder has not changed: what was wrong may
/// have been the moment, such as a folder that was being copied.
const RETRY: Duration = Duration::from_mins(1);

/// Looks at the manifests of open models every `interval`, forever, and reloads a model whose manifest changed.
/// Manifests are read rather than watched, because notifications do not reach network file systems and mounted
/// volumes of clusters.
pub(crate) async fn watch(registry: Arc<Registry>, interval: Duration) {
    // What was tried last under each name, and when.
    let mut tried: HashMap<String, (String, Instant)> = HashMap::new();
    loop {
        tokio::time::sleep(interval).await;
        for slot in registry.slots() {
            let Some(open) = slot.opened() else { continue };
            let looked = Arc::clone(slot);
            let found = tokio::task::spawn_blocking(move || looked.manifest_sha256());
            // A manifest that cannot be read is one that is being replaced, or gone; the model answers on.
            let Ok(Ok(found)) = found.await else { continue };
            let before = tried.get(slot.name());
            let again = before.is_none_or(|(hash, at)| *hash != found || at.elapsed() > RETRY);
            if found != open.scorer().manifest_sha256() && again {
                tried.insert(slot.name().to_owned(), (found, Instant::now()));
                reload(slot).await;
            }
        }
    }
}
