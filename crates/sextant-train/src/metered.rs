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
    /// Of the exchange of gradients, the seconds in which this rank computed nothing meanwhile.
    pub waited: f64,
}

/// A reducer that counts.
#[derive(Debug)]
pub(crate) struct Metered {
    inner: Arc<dyn Reducer>,
    words: AtomicU64,
    exchanged: Stopwatch,
    /// How long whoever computes has waited for gradients to be exchanged.
    pub(crate) waited: Stopwatch,
}

/// A sum of times that several threads may add to.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    nanoseconds: AtomicU64,
}

impl Stopwatch {
    pub(crate) const fn new() -> Self {
        Self { nanoseconds: AtomicU64::new(0) }
    }

    /// Adds the time that a call takes.
    pub(crate) fn time<T>(&self, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = call();
        self.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        result
    }

    /// The seconds since the last call.
    fn take(&self) -> f64 {
        self.nanoseconds.swap(0, Relaxed) as f64 / 1e9
    }
}

impl Metered {
    pub(crate) fn new(inner: Arc<dyn Reducer>) -> Self {
        let (words, exchanged, waited) = Default::default();
        Self { inner, words, exchanged, waited }
    }

    /// What was exchanged since the last call; `None` if this process is alone.
    pub(crate) fn take(&self) -> Option<Communication> {
        let bytes = 4 * self.words.swap(0, Relaxed);
        let (seconds, waited) = (self.exchanged.take(), self.waited.take());
        (self.ranks() > 1).then_some(Communication { bytes, seconds, waited })
    }

    fn timed(
        &self,
        words: usize,
        call: impl FnOnce() -> Result<Received, ReduceError>,
    ) -> Result<Received, ReduceError> {
        self.words.fetch_add(words as u64, Relaxed);
        self.exchanged.time(call)
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
