//! Reloading models whose folders changed.

use super::registry::{Registry, reload};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Looks at the manifests of open models every `interval`, forever, and reloads a model whose manifest changed.
/// Manifests are read rather than watched, because notifications do not reach network file systems and mounted
/// volumes of clusters. What could not be opened is tried again only when it has changed once more.
pub(crate) async fn watch(registry: Arc<Registry>, interval: Duration) {
    // What was found last under each name.
    let mut last: HashMap<String, Option<String>> = HashMap::new();
    loop {
        tokio::time::sleep(interval).await;
        for slot in registry.slots() {
            let Some(open) = slot.opened() else { continue };
            let looked = Arc::clone(slot);
            let found = tokio::task::spawn_blocking(move || looked.manifest_sha256().ok());
            // A manifest that cannot be read is one that is being replaced, or gone; the model answers on.
            let Ok(found) = found.await else { continue };
            let open = Some(open.scorer().manifest_sha256().to_owned());
            let before = last.insert(slot.name().to_owned(), found.clone());
            if found.is_some() && found != open && before.as_ref() != Some(&found) {
                reload(slot).await;
            }
        }
    }
}
