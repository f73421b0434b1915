//! How much ranks tell each other, and how long that takes.

use crate::{Received, ReduceError, Reducer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// What a rank has exchanged with others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Communication {
    /// Bytes that this rank has sent to others.
    pub bytes: u64,
    /// Seconds that it took, with waiting for ranks that were not there yet.
    pub seconds: f64,
}

/// A reducer that counts.
#[derive(Debug)]
pub(crate) struct Metered {
    inner: Arc<dyn Reducer>,
    words: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Metered {
    pub(crate) fn new(inner: Arc<dyn Reducer>) -> Self {
        Self { inner, words: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) }
    }

    /// What was exchanged since the last call; `None` if this process is alone.
    pub(crate) fn take(&self) -> Option<Communication> {
        let bytes = 4 * self.words.swap(0, Relaxed);
        let seconds = self.nanoseconds.swap(0, Relaxed) as f64 / 1e9;
        (self.ranks() > 1).then_some(Communication { bytes, seconds })
    }

    fn timed(
        &self,
        words: usize,
        call: impl FnOnce() -> Result<Received, ReduceError>,
    ) -> Result<Received, ReduceError> {
        let start = Instant::now();
        let received = call();
        self.words.fetch_add(words as u64, Relaxed);
        self.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        received
    }
}

impl Reducer for Metered {
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    fn ranks(&self) -> usize {
        self.inner.ranks()
    }

    fn gather(&self, mine: &[u32]) -> Result<Received, ReduceError> {
        self.timed(mine.len() * (self.ranks() - 1), || self.inner.gather(mine))
    }

    fn exchange(&self, outgoing: Vec<Vec<u32>>) -> Result<Received, ReduceError> {
        let to_others = outgoing.iter().enumerate().filter(|(to, _)| *to != self.rank());
        let words = to_others.map(|(_, words)| words.len()).sum();
        self.timed(words, || self.inner.exchange(outgoing))
    }
}
