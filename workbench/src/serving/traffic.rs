//! The requests that all cases send.

use anyhow::{Context, ensure};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Titles of a request, and how many requests of ten have so many: a page of results, a few pages, and all that a
/// first stage found.
pub(super) const SIZES: [(usize, usize); 3] = [(10, 6), (50, 3), (200, 1)];
/// Requests of a mix; they are sent in this order, and then again.
const REQUESTS: usize = 400;

/// One query and the titles to rank for it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) query: String,
    pub(super) titles: Vec<String>,
}

/// Requests in random order.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) requests: Vec<Request>,
}

/// What is read of a row of the data set.
#[derive(Deserialize)]
struct Row {
    task: String,
    left: serde_json::Value,
    right: serde_json::Value,
}

impl Traffic {
    /// Requests of the queries and titles in a file of pairs in JSONL. The same seed gives the same requests.
    pub(super) fn read(path: &Path, seed: u64) -> anyhow::Result<Self> {
        let file =
            std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let (mut queries, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let row: Row = serde_json::from_str(&line?).with_context(|| {
                format!("{}, line {}: no pair in JSON", path.display(), number + 1)
            })?;
            if row.task == "query-product"
                && let (Some(query), Some(title)) = (row.left.as_str(), row.right.as_str())
            {
                queries.insert(query.to_owned());
                titles.insert(title.to_owned());
            }
        }
        ensure!(
            !queries.is_empty() && titles.len() >= 200,
            "{}: traffic needs rows of query-product with at least 200 titles as plain text",
            path.display()
        );
        Ok(Self::of(&Vec::from_iter(queries), &Vec::from_iter(titles), seed))
    }

    fn of(queries: &[String], titles: &[String], seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut sizes: Vec<usize> = SIZES
            .iter()
            .flat_map(|&(size, share)| std::iter::repeat_n(size, share * REQUESTS / 10))
            .collect();
        sizes.shuffle(&mut random);
        let mut request = |size| Request {
            query: queries[random.random_range(0..queries.len())].clone(),
            titles: titles.sample(&mut random, size).cloned().collect(),
        };
        Self { requests: sizes.into_iter().map(&mut request).collect() }
    }

    /// The mean number of rows of a request.
    pub(super) fn mean_rows(&self) -> f64 {
        let rows: usize = self.requests.iter().map(|request| request.titles.len()).sum();
        rows as f64 / self.requests.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_has_its_shares_and_is_the_same_for_the_same_seed() {
        let texts = |what: &str| (0..300).map(|n| format!("{what} {n}")).collect::<Vec<_>>();
        let (queries, titles) = (texts("query"), texts("title"));
        let traffic = Traffic::of(&queries, &titles, 1);
        let count = |size| traffic.requests.iter().filter(|r| r.titles.len() == size).count();
        assert_eq!((count(10), count(50), count(200)), (240, 120, 40));
        assert_eq!(traffic.mean_rows(), 41.0);
        let again = Traffic::of(&queries, &titles, 1);
        assert_eq!(traffic.requests[7].titles, again.requests[7].titles);
        let distinct: BTreeSet<_> = traffic.requests[7].titles.iter().collect();
        assert_eq!(distinct.len(), traffic.requests[7].titles.len());
    }
}
