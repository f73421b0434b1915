//! How fast the engine is, to tell clients when to come again.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The smoothed speed of a worker, and the number of workers.
pub(super) struct Throughput {
    workers: usize,
    /// Tokens per second of one worker, once a pack has been answered.
    rate: Mutex<Option<f64>>,
}

/// The weight of a new measurement.
const SMOOTHING: f64 = 0.1;

impl Throughput {
    pub(super) fn new(workers: NonZeroUsize) -> Self {
        Self { workers: workers.get(), rate: Mutex::new(None) }
    }

    /// Notes that a worker ran a pack.
    pub(super) fn note(&self, tokens: usize, took: Duration) {
        let measured = tokens as f64 / took.as_secs_f64().max(1e-6);
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        *rate = Some(rate.map_or(measured, |rate| rate + SMOOTHING * (measured - rate)));
    }

    /// How long so many tokens will take, in whole seconds from 1 to 60.
    pub(super) fn time_for(&self, tokens: usize) -> Duration {
        let seconds = self.seconds_for(tokens).unwrap_or(1.0);
        Duration::from_secs(seconds.ceil().clamp(1.0, 60.0) as u64)
    }

    /// How many seconds so many tokens will take; `None` before anything was measured.
    pub(super) fn seconds_for(&self, tokens: usize) -> Option<f64> {
        let rate = *self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.map(|rate| tokens as f64 / (rate * self.workers as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_follows_from_the_measured_speed() {
        let throughput = Throughput::new(NonZeroUsize::new(2).unwrap());
        assert_eq!(throughput.time_for(1_000_000), Duration::from_secs(1));
        throughput.note(1000, Duration::from_secs(1));
        assert_eq!(throughput.time_for(9_500), Duration::from_secs(5));
        assert_eq!(throughput.time_for(10_000_000), Duration::from_mins(1));
        (0..100).for_each(|_| throughput.note(10_000, Duration::from_secs(1)));
        assert_eq!(throughput.time_for(38_000), Duration::from_secs(2));
    }
}
