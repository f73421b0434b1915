//! How many tokens may wait or be computed at a time.

use crate::models::OpenModel;
use sextant_core::{Entity, Pair};
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the tokens that were let in.
pub(super) struct Admission {
    semaphore: Arc<Semaphore>,
    most: usize,
}

impl Admission {
    pub(super) fn new(tokens: NonZeroUsize) -> Self {
        // Permits of one request are counted in 32 bits.
        let most = tokens.get().min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Self { semaphore: Arc::new(Semaphore::new(most)), most }
    }

    /// A request that is larger than all that may wait is let in when nothing else is there.
    fn permits(&self, tokens: usize) -> u32 {
        tokens.min(self.most) as u32
    }

    /// Permits for so many tokens, if they are free.
    pub(super) fn try_enter(&self, tokens: usize) -> Option<OwnedSemaphorePermit> {
        let permits = self.permits(tokens);
        Arc::clone(&self.semaphore).try_acquire_many_owned(permits).ok()
    }

    /// Waits for permits for so many tokens. Returns `None` if nothing is let in any more.
    pub(super) async fn enter(&self, tokens: usize) -> Option<OwnedSemaphorePermit> {
        let permits = self.permits(tokens);
        Arc::clone(&self.semaphore).acquire_many_owned(permits).await.ok()
    }

    /// The tokens that were let in and are not answered.
    pub(super) fn taken(&self) -> usize {
        self.most - self.semaphore.available_permits()
    }

    pub(super) fn close(&self) {
        self.semaphore.close();
    }
}

/// About how many tokens answering pairs will take, before they are tokenized: one token for three bytes, and
/// some around them. It is replaced by the true number as soon as that is known.
pub(super) fn estimate(model: &OpenModel, pairs: &[Pair]) -> usize {
    pairs
        .iter()
        .map(|pair| {
            let bytes = bytes(&pair.left) + bytes(&pair.right);
            (8 + bytes / 3).min(model.max_tokens()) * model.members_asked(pair.task).max(1)
        })
        .sum()
}

/// The bytes of an entity's texts.
pub(super) fn bytes(entity: &Entity) -> usize {
    match entity {
        Entity::Text(text) => text.len(),
        Entity::Product(product) => {
            let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            let attributes =
                product.attributes.iter().map(|(name, value)| name.len() + value.len());
            product.title.len()
                + optional(&product.brand)
                + optional(&product.description)
                + attributes.sum::<usize>()
                + product.type_path.iter().map(String::len).sum::<usize>()
        }
    }
}
