//! The rows that all contenders run: the same tokens, and texts that give them.

use anyhow::ensure;
use serde::Serialize;
use sextant_core::{Entity, Pair, Task};
use sextant_model::backbone::Backbone;
use sextant_text::{EncodedRow, Encoder, TextConfig};
use std::path::Path;

/// Token lengths of rows of public-six; the file says where they come from.
const LENGTHS: &str = include_str!("../../../benches/public-six-lengths.txt");
/// Number of rows of a training step, and of a peer's batch.
pub(crate) const BATCH: usize = 32;
/// Number of tokens of each row in the set of equal lengths.
const EQUAL: usize = 64;

/// The sets of rows by their names.
pub(crate) struct Workload {
    /// One batch of rows of equal length.
    pub(crate) equal: Set,
    /// Some batches with the length mix of public-six, in random order.
    pub(crate) mix: Set,
    /// One batch of the mix, for large models.
    pub(crate) few: Set,
    pub(crate) encoder: Encoder,
}

/// Rows as pairs and as tokens.
#[derive(Serialize)]
pub(crate) struct Set {
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) labels: Vec<usize>,
    ids: Vec<Vec<u32>>,
    segments: Vec<Vec<u8>>,
    #[serde(skip)]
    pub(crate) rows: Vec<EncodedRow>,
}

impl Workload {
    pub(crate) fn new(model: &Path, rows: usize) -> anyhow::Result<Self> {
        let backbone = Backbone::open(model)?;
        let (tokenizer, path) = (backbone.tokenizer()?, backbone.tokenizer_path());
        let words: Vec<String> = (0..tokenizer.vocab_size() as u32)
            .filter_map(|id| tokenizer.token(id))
            .filter(|word| word.len() > 3 && word.bytes().all(|b| b.is_ascii_lowercase()))
            .collect();
        ensure!(!words.is_empty(), "{}: no plain words in the vocabulary", path.display());
        let config = TextConfig { max_tokens: 512, ..TextConfig::default() };
        let encoder = Encoder::new(tokenizer, config)?;
        let lengths: Vec<usize> =
            LENGTHS.lines().filter_map(|line| line.parse().ok()).take(rows).collect();
        ensure!(lengths.len() == rows, "the list of lengths has fewer than {rows}");
        Ok(Self {
            equal: Set::new(&[EQUAL; BATCH], &words, &encoder)?,
            mix: Set::new(&lengths, &words, &encoder)?,
            few: Set::new(&lengths[..BATCH], &words, &encoder)?,
            encoder,
        })
    }

    /// A set by its name.
    pub(crate) fn set(&self, name: &str) -> &Set {
        match name {
            "equal" => &self.equal,
            "few" => &self.few,
            _ => &self.mix,
        }
    }

    pub(crate) fn to_json(&self, model: &Path) -> anyhow::Result<Vec<u8>> {
        let json = serde_json::json!({
            "model": model,
            "batch": BATCH,
            "sets": { "equal": &self.equal, "mix": &self.mix, "few": &self.few },
        });
        Ok(serde_json::to_vec(&json)?)
    }
}

impl Set {
    fn new(lengths: &[usize], words: &[String], encoder: &Encoder) -> anyhow::Result<Self> {
        let mut set = Self {
            pairs: Vec::new(),
            labels: Vec::new(),
            ids: Vec::new(),
            segments: Vec::new(),
            rows: Vec::new(),
        };
        let mut next = 0;
        let mut text = |count: usize| {
            let chosen: Vec<&str> = (0..count)
                .map(|_| {
                    next += 7919; // a prime: words do not repeat soon
                    words[next % words.len()].as_str()
                })
                .collect();
            chosen.join(" ")
        };
        for (index, &length) in lengths.iter().enumerate() {
            // [CLS] left [SEP] right [SEP]
            let words = length.saturating_sub(3).max(2);
            let left = (words / 4).max(1);
            let (left, right) = (text(left), text(words - left));
            let pair = Pair {
                task: Task::QueryQuery,
                left: Entity::from(left.as_str()),
                right: Entity::from(right.as_str()),
            };
            let row = encoder.encode(&pair)?;
            ensure!(row.len() == words + 3, "a row of {words} words has {} tokens", row.len());
            set.ids.push(row.ids.clone());
            set.segments.push(row.segments.clone());
            // The task only decides the branch, so that packs have rows of all tasks.
            set.rows.push(EncodedRow { task: Task::ALL[index % Task::COUNT], ..row });
            set.pairs.push((left, right));
            set.labels.push(index % 3);
        }
        Ok(set)
    }

    pub(crate) fn tokens(&self) -> usize {
        self.rows.iter().map(EncodedRow::len).sum()
    }
}
