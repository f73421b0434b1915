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
/// Number of rows with the same query in the set of queries.
pub(crate) const PER_QUERY: usize = 50;
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
    /// A few queries, each with [`PER_QUERY`] products, as rerankers get them.
    pub(crate) queries: Set,
    /// A query with ten products: a small request to a server.
    pub(crate) request: Set,
    pub(crate) encoder: Encoder,
}

/// Makes texts from a list of words.
struct Texts<'a> {
    words: &'a [String],
    next: usize,
}

impl Texts<'_> {
    /// A text of so many words.
    fn of(&mut self, count: usize) -> String {
        let chosen: Vec<&str> = (0..count)
            .map(|_| {
                self.next += 7919; // a prime: words do not repeat soon
                self.words[self.next % self.words.len()].as_str()
            })
            .collect();
        chosen.join(" ")
    }
}

/// Rows as pairs and as tokens.
#[derive(Default, Serialize)]
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
            queries: Set::queries(lengths.len() / 16, PER_QUERY, &lengths, &words, &encoder)?,
            request: Set::queries(1, 10, &lengths, &words, &encoder)?,
            encoder,
        })
    }

    /// A set by its name.
    pub(crate) fn set(&self, name: &str) -> &Set {
        match name {
            "equal" => &self.equal,
            "few" => &self.few,
            "queries" => &self.queries,
            "request" => &self.request,
            _ => &self.mix,
        }
    }

    pub(crate) fn to_json(&self, model: &Path) -> anyhow::Result<Vec<u8>> {
        let json = serde_json::json!({
            "model": model,
            "batch": BATCH,
            "sets": {
                "equal": &self.equal, "mix": &self.mix, "few": &self.few, "queries": &self.queries,
                "request": &self.request,
            },
        });
        Ok(serde_json::to_vec(&json)?)
    }
}

impl Set {
    fn new(lengths: &[usize], words: &[String], encoder: &Encoder) -> anyhow::Result<Self> {
        let mut set = Self::default();
        let mut texts = Texts { words, next: 0 };
        for (index, &length) in lengths.iter().enumerate() {
            // [CLS] left [SEP] right [SEP]
            let words = length.saturating_sub(3).max(2);
            let left = (words / 4).max(1);
            let (left, right) = (texts.of(left), texts.of(words - left));
            // The task only decides the branch, so that packs have rows of all tasks.
            set.push(Task::ALL[index % Task::COUNT], left, right, words, encoder)?;
        }
        Ok(set)
    }

    /// So many queries of 4 to 11 words, each with so many products whose lengths go through the list.
    fn queries(
        count: usize,
        products: usize,
        lengths: &[usize],
        words: &[String],
        encoder: &Encoder,
    ) -> anyhow::Result<Self> {
        let mut set = Self::default();
        let mut texts = Texts { words, next: 0 };
        let mut lengths = lengths.iter().cycle();
        for query in 0..count {
            let left = 4 + query % 8;
            let query = texts.of(left);
            for &length in lengths.by_ref().take(products) {
                let product = length.saturating_sub(left + 3).max(3);
                let right = texts.of(product);
                set.push(Task::QueryProduct, query.clone(), right, left + product, encoder)?;
            }
        }
        Ok(set)
    }

    /// Adds a row of so many words.
    fn push(
        &mut self,
        task: Task,
        left: String,
        right: String,
        words: usize,
        encoder: &Encoder,
    ) -> anyhow::Result<()> {
        let pair = Pair {
            task: Task::QueryQuery,
            left: Entity::from(left.as_str()),
            right: Entity::from(right.as_str()),
        };
        let row = encoder.encode(&pair)?;
        ensure!(row.len() == words + 3, "a row of {words} words has {} tokens", row.len());
        self.ids.push(row.ids.clone());
        self.segments.push(row.segments.clone());
        self.labels.push(self.rows.len() % 3);
        self.rows.push(EncodedRow { task, ..row });
        self.pairs.push((left, right));
        Ok(())
    }

    pub(crate) fn tokens(&self) -> usize {
        self.rows.iter().map(EncodedRow::len).sum()
    }
}
