//! How fast requests may be sent.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Spaces requests and tokens evenly over time, for all threads together, and lets a run be stopped while its
/// threads wait.
#[derive(Debug)]
pub struct Pace {
    /// The time between two requests; 0 for no limit.
    per_request: Duration,
    /// The time that a token takes; 0 for no limit.
    per_token: Duration,
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Debug)]
struct State {
    /// When the next request may be sent.
    next: Instant,
    stopped: bool,
}

impl Pace {
    /// At most so many requests, and so many tokens, in a minute; `None` for no limit.
    pub fn new(requests: Option<f64>, tokens: Option<f64>) -> Self {
        let each = |limit: Option<f64>| {
            let seconds = limit.map_or(0.0, |limit| 60.0 / limit);
            Duration::try_from_secs_f64(seconds).unwrap_or_default()
        };
        let state = Mutex::new(State { next: Instant::now(), stopped: false });
        let (per_request, per_token) = (each(requests), each(tokens));
        Self { per_request, per_token, state, stopped: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, also of a thread that has panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be sent. False if the run was stopped.
    pub(crate) fn request(&self) -> bool {
        let mut state = self.lock();
        let turn = state.next.max(Instant::now());
        state.next = turn + self.per_request;
        drop(state);
        self.pause(turn.saturating_duration_since(Instant::now()))
    }

    /// Counts the tokens of a request and its answer: the next requests wait for them.
    pub(crate) fn tokens(&self, tokens: u64) {
        let took = self.per_token.saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX));
        let mut state = self.lock();
        state.next = state.next.max(Instant::now()) + took;
    }

    /// Waits for a time. False if the run was stopped.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while !state.stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let woken = self.stopped.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// Ends all waiting: no request is sent from now on.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.stopped.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_tokens_take_their_time() {
        let pace = Pace::new(Some(6000.0), Some(600_000.0)); // 10 ms a request, 0.1 ms a token
        let start = Instant::now();
        for _ in 0..3 {
            assert!(pace.request());
            pace.tokens(200);
        }
        assert!(pace.request());
        assert!(start.elapsed() >= Duration::from_millis(90), "{:?}", start.elapsed());
    }

    #[test]
    fn a_stop_ends_all_waiting() {
        let pace = Pace::new(None, None);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| pace.pause(Duration::from_mins(10)));
            pace.stop();
            assert!(!waiting.join().unwrap());
        });
        assert!(!pace.request());
    }
}
