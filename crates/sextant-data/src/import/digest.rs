//! Keys of a fixed size for texts of any length, so that millions of them fit into memory.

use sha2::{Digest, Sha256};

/// The first 120 bits of a SHA-256. Among ten million keys, two are equal by chance with a probability below 1e-22.
pub(super) type KeyHash = [u8; 15];

/// A text without the fraction of a whole number: tables that were merged in other programs have `1.0` in a column of
/// keys where others have `1`.
pub(super) fn whole(text: &str) -> &str {
    let Some((number, fraction)) = text.split_once('.') else { return text };
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    if is_number && is_whole { number } else { text }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_lose_their_fraction_and_nothing_else_changes() {
        for (text, expected) in [
            ("1.0", "1"),
            ("-20.00", "-20"),
            ("1", "1"),
            ("1.5", "1.5"),
            ("1.", "1."),
            (".0", ".0"),
            ("v1.0", "v1.0"),
            ("1.0.0", "1.0.0"),
            ("007", "007"),
            ("", ""),
        ] {
            assert_eq!(whole(text), expected);
        }
    }
}
