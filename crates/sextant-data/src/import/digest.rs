//! Keys of a fixed size for texts of any length, so that millions of them fit into memory.

use sha2::{Digest, Sha256};

/// The first 120 bits of a SHA-256. Among ten million keys, two are equal by chance with a probability below 1e-22.
pub(super) type KeyHash = [u8; 15];

/// The hash of a list of texts. Lengths are hashed too, so that no two lists run together.
pub(super) fn hash<'a>(texts: impl IntoIterator<Item = &'a str>) -> KeyHash {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let digest = hasher.finalize();
    let mut key = KeyHash::default();
    key.copy_from_slice(&digest[..15]);
    key
}
