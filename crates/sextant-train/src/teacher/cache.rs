//! Answers of a teacher that are kept for other runs.

use crate::TrainError;
use sextant_core::{Grade, Pair};
use sextant_files::{AtomicFile, Existing};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What identifies a pair: the beginning of the SHA-256 of its JSON.
pub(crate) type PairHash = [u8; 16];

/// The bytes of what a stored answer says: the pair's hash and three probabilities.
const SAID: usize = 16 + 4 * Grade::COUNT;
/// The bytes of a stored answer, which ends with the beginning of the SHA-256 of what it says.
const RECORD: usize = SAID + 4;

/// What tells a whole record from a damaged one.
fn check(said: &[u8]) -> [u8; 4] {
    let mut check = [0; 4];
    check.copy_from_slice(&Sha256::digest(said)[..4]);
    check
}

pub(crate) fn hash_of(pair: &Pair) -> PairHash {
    let json = serde_json::to_vec(pair).unwrap_or_default();
    let mut hash = [0; 16];
    hash.copy_from_slice(&Sha256::digest(json)[..16]);
    hash
}

/// The answers of one teacher, by pair.
#[derive(Debug)]
pub(crate) struct Cache {
    path: PathBuf,
    answers: BTreeMap<PairHash, [f32; Grade::COUNT]>,
    changed: bool,
}

impl Cache {
    /// Opens the answers of the teacher whose manifest has this hash. What cannot be read counts as absent: it
    /// is only a cache.
    pub(crate) fn open(folder: &Path, teacher: &str) -> Self {
        let path = folder.join(format!("{teacher}.answers"));
        let bytes = std::fs::read(&path).unwrap_or_default();
        let mut answers = BTreeMap::new();
        for record in bytes.as_chunks::<RECORD>().0 {
            let (said, found) = record.split_at(SAID);
            if found != check(said) {
                continue;
            }
            let mut hash = [0; 16];
            hash.copy_from_slice(&record[..16]);
            let number = |grade: usize| {
                let at = 16 + 4 * grade;
                f32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
            };
            answers.insert(hash, std::array::from_fn(number));
        }
        Self { path, answers, changed: false }
    }

    pub(crate) fn get(&self, pair: &PairHash) -> Option<[f32; Grade::COUNT]> {
        self.answers.get(pair).copied()
    }

    pub(crate) fn put(&mut self, pair: PairHash, probs: [f32; Grade::COUNT]) {
        self.answers.insert(pair, probs);
        self.changed = true;
    }

    /// Writes the answers, if there are new ones.
    pub(crate) fn save(&mut self) -> Result<(), TrainError> {
        if !self.changed {
            return Ok(());
        }
        let failed = |action| {
            let path = self.path.clone();
            move |source| TrainError::Io { action, path, source }
        };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed("create the folder of"))?;
        }
        let mut file = AtomicFile::create(&self.path, Existing::Own)?;
        let mut bytes = Vec::with_capacity(RECORD * self.answers.len());
        for (hash, probs) in &self.answers {
            let start = bytes.len();
            bytes.extend_from_slice(hash);
            bytes.extend(probs.iter().flat_map(|p| p.to_le_bytes()));
            let check = check(&bytes[start..]);
            bytes.extend_from_slice(&check);
        }
        file.write_all(&bytes).map_err(failed("write"))?;
        file.commit()?;
        self.changed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::Task;

    #[test]
    fn answers_are_found_again_bit_for_bit_and_damage_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/er");
        let pair =
            |left: &str| Pair { task: Task::QueryQuery, left: left.into(), right: "b".into() };
        let probs = [0.1_f32, 0.2, 0.7];
        let mut cache = Cache::open(&place, "abc");
        cache.put(hash_of(&pair("a")), probs);
        cache.save().unwrap();
        let found = Cache::open(&place, "abc");
        assert_eq!(found.get(&hash_of(&pair("a"))), Some(probs));
        assert_eq!(found.get(&hash_of(&pair("b"))), None);
        assert_eq!(Cache::open(&place, "other").get(&hash_of(&pair("a"))), None);
        let path = place.join("abc.answers");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Cache::open(&place, "abc").get(&hash_of(&pair("a"))), None);
    }
}
