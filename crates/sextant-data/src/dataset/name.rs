//! The meaning of a file's name in a dataset.

use crate::Format;
use crate::format::uncompressed_name;
use sextant_core::Split;
use std::path::Path;

/// The meaning of the name of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// It is a part of a dataset: `train.jsonl`, `validation-00000-of-00002.parquet`, `train_0.csv.gz`.
    Part(PartName<'a>),
    /// It may be meant as a part, but cannot be read as one, for the reason given.
    Suspect(&'static str),
    /// It is not data, for example a README.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartName<'a> {
    pub(super) split: Split,
    /// The word for the split as it is written in the name, before the number of a shard.
    pub(super) word: &'a str,
    /// The format; `None` for a folder.
    pub(super) format: Option<Format>,
    pub(super) shard: Option<Shard>,
}

/// One of several files of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) number: usize,
    /// The number of shards, if the name states it.
    pub(super) of: Option<usize>,
}

impl<'a> Name<'a> {
    pub(super) fn of(name: &'a str, is_folder: bool) -> Self {
        let format = Format::of_input(Path::new(name));
        let stem = match format {
            Some(_) if !is_folder => stem(uncompressed_name(name)),
            _ => name,
        };
        let end = stem.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(stem.len());
        let (word, rest) = stem.split_at(end);
        let split = word.to_ascii_lowercase().parse::<Split>().ok();
        match (split, format) {
            (Some(split), _) if is_folder && rest.is_empty() => {
                Self::Part(PartName { split, word, format: None, shard: None })
            }
            _ if is_folder => Self::Other,
            (Some(split), Some(_)) => match (rest, shard(rest)) {
                ("", _) => Self::Part(PartName { split, word, format, shard: None }),
                (_, Some(shard)) => {
                    Self::Part(PartName { split, word, format, shard: Some(shard) })
                }
                _ => Self::Suspect(
                    "its name opens like a part's but is neither `SPLIT.EXT` nor a shard, `SPLIT-00000-of-00002.EXT` or `SPLIT_0.EXT`",
                ),
            },
            (Some(_), None) => Self::Suspect("it is called like a part but is of no known format"),
            (None, Some(_)) => Self::Suspect("its name says no split"),
            (None, None) => Self::Other,
        }
    }
}

/// The name without its extension.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The shard that the end of a name states: `-00000-of-00002` (also with the hash that old versions of the
/// Python package `datasets` append), `_0`, `.part-3` or `0`.
fn shard(rest: &str) -> Option<Shard> {
    let rest = rest.trim_start_matches(['-', '_', '.']);
    let rest = ["part", "shard"].iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(rest);
    let rest = rest.trim_start_matches(['-', '_']);
    let mut words = rest.split(['-', '_', '.']);
    let number = words.next()?.parse().ok()?;
    let words: Vec<&str> = words.collect();
    let is_hash = |word: &str| word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
    match words[..] {
        [] => Some(Shard { number, of: None }),
        ["of", of] => Some(Shard { number, of: Some(of.parse().ok()?) }),
        ["of", of, hash] if is_hash(hash) => Some(Shard { number, of: Some(of.parse().ok()?) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_are_understood() {
        let part = |name, split, shard: Option<(usize, Option<usize>)>| {
            let Name::Part(found) = Name::of(name, false) else { panic!("{name}") };
            let shard = shard.map(|(number, of)| Shard { number, of });
            assert_eq!((found.split, found.shard), (split, shard), "{name}");
        };
        part("train.jsonl", Split::Train, None);
        part("Train.JSONL.GZ", Split::Train, None);
        part("validation.ndjson", Split::Dev, None);
        part("val.pq", Split::Dev, None);
        part("TEST.csv.zst", Split::Test, None);
        part("train-00001-of-00002.parquet", Split::Train, Some((1, Some(2))));
        part("train-00001-of-00002-0123456789abcdef.parquet", Split::Train, Some((1, Some(2))));
        part("train_0.jsonl", Split::Train, Some((0, None)));
        part("train0.jsonl", Split::Train, Some((0, None)));
        part("dev.part-12.tsv", Split::Dev, Some((12, None)));
        for name in ["train", "Validation"] {
            assert!(matches!(Name::of(name, true), Name::Part(PartName { format: None, .. })));
        }
    }

    #[test]
    fn doubtful_names_are_suspect_and_others_are_not() {
        for name in [
            "train_old.jsonl",
            "holdout.csv",
            "train.xlsx",
            "test",
            "dev.jsonl.bak",
            "train-a-of-2.csv",
        ] {
            assert!(matches!(Name::of(name, false), Name::Suspect(_)), "{name}");
        }
        for name in ["README.md", "build.json", "LICENSE", "trainer.py"] {
            assert_eq!(Name::of(name, false), Name::Other, "{name}");
        }
        assert_eq!(Name::of("images", true), Name::Other);
    }
}
