//! Long work, while which Python stays alive: Ctrl-C works, other threads run, and progress is shown.
//!
//! The work runs on a thread of its own, which knows nothing of Python. The thread that was called waits for it
//! without the interpreter's lock, hands its messages to a Python function, and asks Python for signals. An
//! exception of either asks the work to stop, and is raised once the work has ended in good order.

use pyo3::prelude::*;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often Python is asked for signals.
const EVERY: Duration = Duration::from_millis(50);
/// The stack of the thread, which is that of a main thread.
const STACK: usize = 8 << 20;

/// What the work has at hand.
pub(crate) struct Caller<M> {
    stop: Arc<AtomicBool>,
    messages: Sender<M>,
}

impl<M> Clone for Caller<M> {
    fn clone(&self) -> Self {
        Self { stop: self.stop.clone(), messages: self.messages.clone() }
    }
}

impl<M> Caller<M> {
    /// Breaks when the work should stop.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Sends a message to the thread that waits.
    pub(crate) fn tell(&self, message: M) {
        // The receiver outlives the work; if it were gone, nobody would be left to be told.
        let _ = self.messages.send(message);
    }
}

/// Runs `work`, and calls `hear` with each of its messages. If `hear` breaks, the work is asked to stop.
///
/// # Errors
/// The exception of a signal's handler (`KeyboardInterrupt`) or of `hear`; the work has ended by then.
pub(crate) fn run<T: Send, M: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Caller<M>) -> T + Send,
    mut hear: impl FnMut(M) -> PyResult<ControlFlow<()>>,
) -> PyResult<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let (messages, mut received) = channel();
    let caller = Caller { stop: stop.clone(), messages };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("sextant".into()).stack_size(STACK);
        let worker = thread.spawn_scoped(scope, move || work(&caller))?;
        let mut raised = None;
        loop {
            let message;
            (received, message) = py.detach(move || wait(received));
            let heard = match message {
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => Ok(ControlFlow::Continue(())),
                // After an exception, messages are of no use to anybody.
                Ok(_) if raised.is_some() => Ok(ControlFlow::Continue(())),
                Ok(message) => hear(message),
            };
            let flow = heard.and_then(|flow| py.check_signals().map(|()| flow));
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                stop.store(true, Ordering::Relaxed);
            }
            if let Err(exception) = flow {
                raised.get_or_insert(exception);
            }
        }
        let done = py.detach(|| worker.join());
        match (raised, done) {
            (Some(exception), _) => Err(exception),
            (None, Ok(done)) => Ok(done),
            (None, Err(panic)) => std::panic::resume_unwind(panic),
        }
    })
}

/// Waits for a message for a while; gives the receiver back.
fn wait<M>(received: Receiver<M>) -> (Receiver<M>, Result<M, RecvTimeoutError>) {
    let message = received.recv_timeout(EVERY);
    (received, message)
}

/// [`run`] for work that says nothing.
pub(crate) fn run_silently<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    run(py, |_: &Caller<()>| work(), |()| Ok(ControlFlow::Continue(())))
}
