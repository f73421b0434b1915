//! Which threads compute.

use rayon::prelude::*;
use sextant_kernels::on_this_thread;
use sextant_model::ModelError;
use std::num::NonZeroUsize;

/// Which threads a [`Scorer`](crate::Scorer) computes on. The answers are the same, bit for bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Threads {
    /// Those of the process: rayon's global pool, or the pool in which the scorer is asked. For one large
    /// job.
    #[default]
    Process,
    /// A pool of so many threads, which all requests to the scorer share. A request waits while all of them
    /// are taken, and the process has no more threads at work than these, however many requests come in.
    Pool(NonZeroUsize),
    /// The thread that asks, and no other. For many small requests on threads of their own: a pack of a few
    /// short rows is too little work to be worth handing on.
    Caller,
}

/// The same, ready to compute.
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

    /// Runs `body` where it is to run.
    pub(crate) fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Process => body(),
            Self::Pool(pool) => pool.install(body),
            Self::Caller => on_this_thread(body),
        }
    }

    /// What `each` makes of every item, in their order.
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
