//! A [`FairQueue`] between threads.

use super::fair::{FairQueue, Fate, Flow};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What threads put in and take out in turns.
pub(super) struct Stage<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    queue: FairQueue<T>,
    /// Threads that wait for something to take.
    idle: usize,
    closed: bool,
}

impl<T> Stage<T> {
    pub(super) fn new(turn: usize) -> Self {
        let state = State { queue: FairQueue::new(turn), idle: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The state. No code that may panic runs while it is locked, so that it is whole even if the lock says that
    /// a thread panicked.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds items with their costs to a flow, which is late from a time on. Returns whether they were taken: a
    /// closed stage takes none.
    pub(super) fn push(
        &self,
        flow: Flow,
        late: Instant,
        items: impl IntoIterator<Item = (usize, T)>,
    ) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        for (cost, item) in items {
            state.queue.push(flow, late, cost, item);
        }
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Removes the items of a flow for which nobody waits. They are dropped after the lock is given back.
    pub(super) fn remove(&self, flow: Flow, gone: impl Fn(&T) -> bool) {
        let removed = self.lock().queue.remove(flow, gone);
        drop(removed);
    }

    /// Waits until there is something to take, and takes it. `budget` is asked for the cost of what to take at
    /// most, given the cost of all that waits and the number of threads that have nothing to do, the calling one
    /// among them. `fate` makes the function that decides about flows. Returns `None` if the stage is closed and
    /// empty.
    pub(super) fn take<F: FnMut(&T) -> Fate>(
        &self,
        budget: impl Fn(usize, usize) -> usize,
        fate: impl Fn() -> F,
    ) -> Option<Vec<T>> {
        let mut state = self.lock();
        state.idle += 1;
        loop {
            if !state.queue.is_empty() {
                let budget = budget(state.queue.cost(), state.idle);
                let taken = state.queue.take(budget, Instant::now(), fate());
                if !taken.is_empty() {
                    state.idle -= 1;
                    return Some(taken);
                }
            }
            if state.closed && state.queue.is_empty() {
                state.idle -= 1;
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes nothing in any more. What is there can still be taken out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}
