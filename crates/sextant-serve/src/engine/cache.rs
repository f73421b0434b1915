//! Answers that were given before.

use super::job::RowAnswer;
use crate::models::OpenModel;
use sextant_core::{Entity, Pair};
use sextant_infer::Voted;
use sextant_text::Cut;
use sha2::{Digest, Sha256};

/// A bounded cache of answers. It is exact: a key is the SHA-256 of the model's identity and of the whole pair,
/// so that an answer from the cache has the bits of the one that was computed. It keeps no text.
pub(crate) struct Cache {
    entries: quick_cache::sync::Cache<Key, Entry>,
}

/// Identifies a pair and the model that answered it.
pub(super) type Key = [u8; 32];

#[derive(Clone)]
struct Entry {
    voted: Voted,
    tokens: usize,
    cut: Cut,
}

impl Cache {
    /// A cache of so many answers; none for 0.
    pub(super) fn new(entries: usize) -> Option<Self> {
        (entries > 0).then(|| Self { entries: quick_cache::sync::Cache::new(entries) })
    }

    pub(super) fn key(model: &OpenModel, pair: &Pair) -> Key {
        let mut hash = Sha256::new();
        part(&mut hash, model.identity());
        part(&mut hash, pair.task.as_str());
        entity(&mut hash, &pair.left);
        entity(&mut hash, &pair.right);
        hash.finalize().into()
    }

    pub(super) fn get(&self, key: &Key) -> Option<RowAnswer> {
        let Entry { voted, tokens, cut } = self.entries.get(key)?;
        Some(RowAnswer { voted, tokens, cut, cached: true, begun: std::time::Instant::now() })
    }

    pub(super) fn insert(&self, key: Key, answer: &RowAnswer) {
        let RowAnswer { voted, tokens, cut, .. } = answer.clone();
        self.entries.insert(key, Entry { voted, tokens, cut });
    }
}

/// Adds a text with its length, so that no two lists of texts are hashed alike.
fn part(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

fn entity(hash: &mut Sha256, entity: &Entity) {
    match entity {
        Entity::Text(text) => {
            hash.update([0]);
            part(hash, text);
        }
        Entity::Product(product) => {
            hash.update([1]);
            part(hash, &product.title);
            for optional in [&product.brand, &product.description] {
                hash.update([u8::from(optional.is_some())]);
                part(hash, optional.as_deref().unwrap_or_default());
            }
            hash.update((product.attributes.len() as u64).to_le_bytes());
            for (name, value) in &product.attributes {
                part(hash, name);
                part(hash, value);
            }
            hash.update((product.type_path.len() as u64).to_le_bytes());
            product.type_path.iter().for_each(|node| part(hash, node));
        }
    }
}
