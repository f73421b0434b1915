//! The threads on which a scorer computes.

use rayon::prelude::*;
use sextant_kernels::on_this_thread;
use sextant_model::ModelError;
use std::num::NonZeroUsize;

/// Which threads a [`Scorer`](crate::Scorer) computes on. The answers are the same bits in all cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Threads {
    /// The threads of the process: rayon's global pool, or the pool from which the scorer is called. This is
    /// meant for one large job.
    #[default]
    Process,
    /// A pool of this many threads, which all requests to the scorer share. A request waits while all of these
    /// threads are busy, so that no more threads compute, however many requests come in.
    Pool(NonZeroUsize),
    /// The calling thread alone. This is meant for many small requests, each on a thread of its own: a pack of
    /// a few short rows is too little work to spread over several threads.
    Caller,
}

/// The threads of a [`Threads`], started and ready to compute.
#[derive(Debug)]
pub(crate) enum Crew {
    Process,
    Pool(rayon::ThreadPool),
    Caller,
}

impl Crew {
    /// Starts the threads that are needed.
    pub(crate) fn new(threads: Threads) -> Result<Self, ModelError> {
        Ok(match threads {
            Threads::Process => Self::Process,
            Threads::Caller => Self::Caller,
            Threads::Pool(threads) => {
                let name = |thread| format!("sextant-infer-{thread}");
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get());
                Self::Pool(pool.thread_name(name).build().map_err(|error| {
                    let problem = format!("cannot start {threads} threads: {error}; ask for fewer");
                    ModelError::Config(problem)
                })?)
            }
        })
    }

    /// Runs `body` on these threads.
    pub(crate) fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Process => body(),
            Self::Pool(pool) => pool.install(body),
            Self::Caller => on_this_thread(body),
        }
    }

    /// Applies `each` to every item and returns the results in the order of the items.
    pub(crate) fn map<T: Sync, U: Send>(
        &self,
        items: &[T],
        each: impl Fn(&T) -> U + Sync + Send,
    ) -> Vec<U> {
        match self {
            Self::Caller => items.iter().map(each).collect(),
            Self::Process | Self::Pool(_) => self.run(|| items.par_iter().map(each).collect()),
        }
    }
}
