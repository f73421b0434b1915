//! How the processes of one training talk to each other.

use std::fmt;

/// What has gone wrong between ranks: one has ended, or the network has.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReduceError(pub String);

/// Connects the processes ("ranks") that train one model together.
///
/// Both operations are collective: every rank calls them, in the same order. They move words of 32 bits and
/// never compute with them, so that what is received is what was sent, bit for bit, whatever the transport;
/// sums are taken by the training itself, in an order that it knows.
pub trait Reducer: fmt::Debug + Send + Sync {
    /// The number of this process, counted from 0. Rank 0 alone writes files.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn ranks(&self) -> usize;

    /// Sends the same words to every rank, and returns what each rank has sent.
    ///
    /// # Errors
    /// A rank, or the way to it, is gone.
    fn gather(&self, mine: &[u32]) -> Result<Received, ReduceError>;

    /// Sends `outgoing[rank]` to each rank, and returns what each rank has sent to this one.
    ///
    /// # Errors
    /// A rank, or the way to it, is gone.
    fn exchange(&self, outgoing: Vec<Vec<u32>>) -> Result<Received, ReduceError>;
}

/// What a rank has received from every rank, itself among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    words: Vec<u32>,
    ends: Vec<usize>,
}

impl Received {
    /// The words of all ranks, one rank after another, and where those of each rank end.
    ///
    /// # Panics
    /// When the ends do not divide the words.
    pub fn new(words: Vec<u32>, ends: Vec<usize>) -> Self {
        assert!(ends.is_sorted() && ends.last().copied().unwrap_or(0) == words.len());
        Self { words, ends }
    }

    /// The words of one rank.
    ///
    /// # Panics
    /// When there is no such rank.
    pub fn of(&self, rank: usize) -> &[u32] {
        let start = rank.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.words[start..self.ends[rank]]
    }
}

impl FromIterator<Vec<u32>> for Received {
    /// Puts together what came from each rank, in order of ranks.
    fn from_iter<I: IntoIterator<Item = Vec<u32>>>(parts: I) -> Self {
        let (mut words, mut ends) = (Vec::new(), Vec::new());
        for part in parts {
            words.extend(part);
            ends.push(words.len());
        }
        Self { words, ends }
    }
}

/// The one process of a training that is not spread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Reducer for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn ranks(&self) -> usize {
        1
    }

    fn gather(&self, mine: &[u32]) -> Result<Received, ReduceError> {
        Ok([mine.to_vec()].into_iter().collect())
    }

    fn exchange(&self, outgoing: Vec<Vec<u32>>) -> Result<Received, ReduceError> {
        Ok(outgoing.into_iter().collect())
    }
}
