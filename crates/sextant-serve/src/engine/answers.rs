//! What the one who asked holds of a request.

use super::job::{Job, PairFault, Receiver, RowOutcome};
use super::{Flow, Shared};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The answers to a request, as they come. Dropping this cancels what has not begun.
pub(crate) struct Answers {
    shared: Arc<Shared>,
    flow: Flow,
    cancelled: Arc<AtomicBool>,
    receiver: Receiver,
    pairs: usize,
    received: usize,
}

impl Answers {
    /// Does not hold the job itself: if the engine loses it, the channel closes.
    pub(super) fn new(shared: Arc<Shared>, job: &Job, receiver: Receiver) -> Self {
        let cancelled = Arc::clone(&job.cancelled);
        Self { shared, flow: job.flow, cancelled, receiver, pairs: job.pairs.len(), received: 0 }
    }

    /// The next outcome and the position of its pair. The order is that in which pairs are answered. `None` after
    /// the last one.
    pub(crate) async fn next(&mut self) -> Option<(usize, RowOutcome)> {
        if self.received == self.pairs {
            return None;
        }
        let next = self.receiver.recv().await;
        self.received += usize::from(next.is_some());
        next
    }

    /// All outcomes, in the order of the pairs.
    pub(crate) async fn all(mut self) -> Vec<RowOutcome> {
        // A pair of which the engine says nothing keeps this outcome.
        let mut outcomes = vec![Err(PairFault::Internal); self.pairs];
        while let Some((index, outcome)) = self.next().await {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
        outcomes
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        if self.received < self.pairs {
            self.cancelled.store(true, Ordering::Relaxed);
            self.shared.units.remove(self.flow, |unit| unit.job.is_cancelled());
            self.shared.rows.remove(self.flow, |row| row.job.is_cancelled());
            self.shared.meters.cancelled();
        }
    }
}
