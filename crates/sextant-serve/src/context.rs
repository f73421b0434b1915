//! What is known of a request beside what it asks: who asked, and what became of it.
//!
//! It is a value of the task that answers the request, so that forty handlers do not each hand it on.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

tokio::task_local! {
    static CONTEXT: Arc<Context>;
}

/// What is known of the request that is being answered.
#[derive(Debug, Default)]
pub(crate) struct Context {
    caller: OnceLock<Arc<Caller>>,
    work: Mutex<Option<Work>>,
}

/// Whom an API key belongs to, and how much of its allowance is left.
#[derive(Debug)]
pub(crate) struct Caller {
    /// A name for logs and metrics, which is not the key.
    pub(crate) name: Option<String>,
    pub(crate) allowance: Option<Allowance>,
}

/// What a request took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Work {
    pub(crate) pairs: usize,
    pub(crate) tokens: usize,
    /// When the service took the request.
    pub(crate) begun: Instant,
    /// How long its first pair waited to be computed.
    pub(crate) queued: Duration,
    /// From then until the last answer.
    pub(crate) computed: Duration,
}

/// Pairs a second that a caller may ask for (a token bucket). What a request has beyond what is left is owed: the
/// next one is let in when it is paid, so that a request may be larger than the allowance of a second.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// Pairs that come in each second; as many may be saved up.
    rate: f64,
    /// What is left, and when that was so.
    left: Mutex<(f64, Instant)>,
}

impl Allowance {
    pub(crate) fn new(pairs_per_second: f64) -> Self {
        let left = Mutex::new((pairs_per_second, Instant::now()));
        Self { rate: pairs_per_second, left }
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes so many pairs.
    ///
    /// # Errors
    /// Nothing is left; the time after which something will be.
    fn take(&self, pairs: usize, now: Instant) -> Result<(), Duration> {
        let mut state = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *state;
        let come = now.saturating_duration_since(since).as_secs_f64() * self.rate;
        let left = (left + come).min(self.rate);
        if left <= 0.0 {
            *state = (left, now);
            return Err(Duration::from_secs_f64(-left / self.rate));
        }
        *state = (left - pairs as f64, now);
        Ok(())
    }
}

impl Caller {
    /// Takes pairs out of the allowance, if there is one.
    ///
    /// # Errors
    /// Nothing is left; the time after which something will be.
    pub(crate) fn charge(&self, pairs: usize) -> Result<(), Duration> {
        self.allowance.as_ref().map_or(Ok(()), |left| left.take(pairs, Instant::now()))
    }
}

impl Context {
    /// Notes who asked.
    pub(crate) fn called_by(&self, caller: Arc<Caller>) {
        // A request has one key; a second word of it would be a mistake, and the first one holds.
        let _ = self.caller.set(caller);
    }

    /// What the request took, if the service answered it.
    pub(crate) fn work(&self) -> Option<Work> {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asked, by name.
    pub(crate) fn caller_name(&self) -> Option<&str> {
        self.caller.get()?.name.as_deref()
    }
}

/// Answers a request in its context.
pub(crate) async fn within<F: Future>(context: Arc<Context>, answering: F) -> F::Output {
    CONTEXT.scope(context, answering).await
}

/// Who asked, if the request has a key.
pub(crate) fn caller() -> Option<Arc<Caller>> {
    CONTEXT.try_with(|context| context.caller.get().cloned()).ok().flatten()
}

/// Notes who asked.
pub(crate) fn called_by(caller: Arc<Caller>) {
    // Without a context, as in tests of single parts, there is nobody to note it for.
    let _ = CONTEXT.try_with(|context| context.called_by(caller));
}

/// Notes what the request took.
pub(crate) fn note(work: Work) {
    let _ = CONTEXT.try_with(|context| {
        *context.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_paid_back_by_time() {
        let allowance = Allowance::new(100.0);
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        // A request may be larger than what is left; the next one waits until that is paid.
        assert_eq!(allowance.take(250, at(0)), Ok(()));
        let wait = allowance.take(1, at(0)).unwrap_err();
        assert!((1.4..1.6).contains(&wait.as_secs_f64()), "{wait:?}");
        assert!(allowance.take(1, at(1400)).is_err());
        assert_eq!(allowance.take(1, at(1600)), Ok(()));
        // What nobody asks for is saved up for a second, not for longer.
        assert_eq!(allowance.take(100, at(600_000)), Ok(()));
        assert!(allowance.take(1, at(600_000)).is_err());
    }
}
