//! Threads of rayon's pool that stay awake between the kernels of a step.
//!
//! A step is some hundreds of kernels of ten to a thousand microseconds, with a little bookkeeping between them. rayon
//! puts a thread that finds no work to sleep within a few tens of microseconds, and waking it costs about as much as a
//! small kernel. Here threads that have helped look for the next kernel for a while ([`LINGER`]) before they go, as
//! those of OpenMP do; and who waits for the last chunk of a kernel does not sleep at once either. Where other programs want
//! the processors too, a chunk may take as long as theirs run: who has waited for some time sleeps, or it would only take
//! away what the chunk needs.

use std::any::Any;
use std::hint;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a helper looks for the next computation before it gives its thread back to rayon. The bookkeeping between
/// two kernels takes less; what takes longer, reading a file for example, should find the processor free.
const LINGER: Duration = Duration::from_micros(200);

/// How often a helper looks for work before it looks at the clock.
const LOOKS: usize = 64;

/// How often a thread looks whether its helpers have done before it sleeps until then: for just under a millisecond, at some
/// fifty nanoseconds a look. A chunk, which is what the wait is for, takes less, unless another program has its processor.
/// With a thousand looks, and helpers that linger half as long, steps of MHP took 4 to 15 % longer.
const PATIENCE: usize = 1 << 14;

static TEAM: Team = Team {
    taken: AtomicBool::new(false),
    offers: AtomicUsize::new(0),
    offer: Mutex::new(Offer { job: None, entered: 0 }),
    helpers: AtomicUsize::new(0),
    asleep: AtomicBool::new(false),
};

/// One computation at a time, and the threads that help with it.
struct Team {
    /// Whether a computation has the team.
    taken: AtomicBool,
    /// Rises with each computation, so that helpers see without a lock that there is a new one.
    offers: AtomicUsize,
    offer: Mutex<Offer>,
    /// The helpers that look for work, or were asked to come.
    helpers: AtomicUsize,
    /// Whether the thread whose computation has the team sleeps until the last helper has left.
    asleep: AtomicBool,
}

struct Offer {
    /// Alive while it stands here, and until `entered` helpers have left it.
    job: Option<JobPointer>,
    /// How many helpers have taken a copy of `job`.
    entered: usize,
}

struct JobPointer(*const Job<'static>);

// SAFETY: only `help` dereferences the pointer, for shared access to a `Job`, which is `Sync`.
unsafe impl Send for JobPointer {}

impl Team {
    fn offer(&self) -> MutexGuard<'_, Offer> {
        // Nothing panics while it holds the lock, so that a poisoned one is as good as any.
        self.offer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Chunks of a computation, divided among threads.
struct Job<'a> {
    body: &'a (dyn Fn(usize) + Sync),
    /// For each thread, the chunks that are still to be computed: the first in the lower half, the end in the upper one.
    /// A thread takes its own from the front, so that it has the same rows in each kernel of a layer, as far as they are
    /// in its cache; and then those of others from the back.
    shares: Vec<AtomicU64>,
    /// How many helpers have done all they could.
    left: AtomicUsize,
    /// Whom to wake.
    caller: Thread,
    panicked: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<'a> Job<'a> {
    fn new(tasks: u32, threads: u32, body: &'a (dyn Fn(usize) + Sync)) -> Self {
        let bound = |thread| u64::from(tasks) * u64::from(thread) / u64::from(threads);
        let share = |thread| AtomicU64::new(bound(thread) | bound(thread + 1) << 32);
        Self {
            body,
            shares: (0..threads).map(share).collect(),
            left: AtomicUsize::new(0),
            caller: thread::current(),
            panicked: Mutex::new(None),
        }
    }

    /// The next chunk of a share, the first or the last one.
    fn take(share: &AtomicU64, first: bool) -> Option<usize> {
        let after = |packed: u64| {
            let (start, end) = (packed & u64::from(u32::MAX), packed >> 32);
            let rest =
                if first { (start + 1) | end << 32 } else { start | (end.saturating_sub(1)) << 32 };
            (start < end).then_some(rest)
        };
        // Which chunks are taken is all that these orderings have to agree on: results are published when helpers leave.
        let before = share.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).ok()?;
        let chunk = if first { before & u64::from(u32::MAX) } else { (before >> 32) - 1 };
        Some(chunk as usize)
    }

    /// Computes chunks until none is left to begin.
    fn work(&self) {
        let threads = self.shares.len();
        let mine = rayon::current_thread_index().unwrap_or(0) % threads;
        while let Some(chunk) = Self::take(&self.shares[mine], true) {
            (self.body)(chunk);
        }
        for other in (1..threads).map(|step| &self.shares[(mine + step) % threads]) {
            while let Some(chunk) = Self::take(other, false) {
                (self.body)(chunk);
            }
        }
    }
}

/// A job that helpers may take up; ends when it is dropped, also by a panic, when the last helper has left.
struct Open<'a>(&'a Job<'a>);

impl<'a> Open<'a> {
    /// Offers a job, if no other one has the team.
    fn new(job: &'a Job<'a>) -> Option<Self> {
        if TEAM.taken.swap(true, Ordering::Acquire) {
            return None;
        }
        let pointer: *const Job<'a> = job;
        *TEAM.offer() = Offer { job: Some(JobPointer(pointer.cast())), entered: 0 };
        TEAM.offers.fetch_add(1, Ordering::Release);
        Some(Self(job))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let entered = {
            let mut offer = TEAM.offer();
            offer.job = None;
            offer.entered
        };
        let done = || self.0.left.load(Ordering::SeqCst) == entered;
        if !(0..PATIENCE).any(|_| {
            done() || {
                hint::spin_loop();
                false
            }
        }) {
            // Of this store and a helper's count one comes first: either the count is seen here, or that this thread sleeps
            // is seen there, and it is woken. Whoever wakes it for another reason finds it asleep again.
            TEAM.asleep.store(true, Ordering::SeqCst);
            while !done() {
                thread::park();
            }
            TEAM.asleep.store(false, Ordering::SeqCst);
        }
        TEAM.taken.store(false, Ordering::Release);
    }
}

/// Runs `body` for each of `tasks` chunks on the calling thread and on helpers. `false`, and nothing is done, if another
/// computation has the team, or if there is nobody to help.
pub(super) fn for_each(tasks: usize, body: &(dyn Fn(usize) + Sync)) -> bool {
    let threads = rayon::current_num_threads();
    let (Ok(count), Ok(parts)) = (u32::try_from(tasks), u32::try_from(threads)) else {
        return false;
    };
    if threads < 2 {
        return false;
    }
    let job = Job::new(count, parts, body);
    let Some(open) = Open::new(&job) else { return false };
    let wanted = (threads - 1).min(tasks - 1);
    for _ in TEAM.helpers.load(Ordering::Relaxed)..wanted {
        TEAM.helpers.fetch_add(1, Ordering::Relaxed);
        let asked_by = thread::current().id();
        rayon::spawn(move || help(asked_by));
    }
    job.work();
    drop(open);
    let panicked = job.panicked.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(reason) = panicked {
        panic::resume_unwind(reason);
    }
    true
}

/// Helps with one computation after the other, until there was none for a while.
fn help(asked_by: thread::ThreadId) {
    // If no other thread took this up, the one that asked has come to it, and has nobody to help.
    let mut seen = None;
    let mut since = Instant::now();
    while asked_by != thread::current().id() && since.elapsed() < LINGER {
        for _ in 0..LOOKS {
            let offers = TEAM.offers.load(Ordering::Acquire);
            if seen == Some(offers) {
                hint::spin_loop();
                continue;
            }
            seen = Some(offers);
            let job = {
                let mut offer = TEAM.offer();
                let job = offer.job.as_ref().map(|job| job.0);
                offer.entered += usize::from(job.is_some());
                job
            };
            if let Some(job) = job {
                // SAFETY: the job is alive until as many helpers have left as have entered (`Open::drop`), and this one
                // leaves below, with its last access.
                let job = unsafe { &*job };
                if let Err(reason) = panic::catch_unwind(AssertUnwindSafe(|| job.work())) {
                    *job.panicked.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
                }
                let caller = job.caller.clone();
                job.left.fetch_add(1, Ordering::SeqCst);
                if TEAM.asleep.load(Ordering::SeqCst) {
                    caller.unpark();
                }
                since = Instant::now();
            }
        }
    }
    TEAM.helpers.fetch_sub(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::collections::BTreeSet;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    /// How often each chunk was computed. Rayon computes what the team does not.
    fn counted(tasks: usize) -> Vec<usize> {
        let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        let body = |task: usize| {
            counts[task].fetch_add(1, Ordering::Relaxed);
        };
        if !for_each(tasks, &body) {
            (0..tasks).into_par_iter().for_each(body);
        }
        counts.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn each_chunk_is_computed_once_with_any_number_of_threads() {
        for threads in [1, 2, 3, 5] {
            for tasks in (1..40).chain([1000]) {
                assert_eq!(
                    pool(threads).install(|| counted(tasks)),
                    vec![1; tasks],
                    "{threads} threads"
                );
            }
        }
        assert_eq!(counted(100), vec![1; 100], "from outside of a pool");
    }

    #[test]
    fn several_at_once_and_one_within_another() {
        let pool = pool(3);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let inner = pool.install(|| {
                            let inner = Mutex::new(vec![]);
                            let body = |_: usize| inner.lock().unwrap().push(counted(7));
                            if !for_each(9, &body) {
                                (0..9).into_par_iter().for_each(body);
                            }
                            inner.into_inner().unwrap()
                        });
                        assert_eq!(inner, vec![vec![1; 7]; 9]);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_of_a_helper_is_a_panic_of_the_caller_and_the_team_goes_on() {
        let pool = pool(2);
        for _ in 0..5 {
            let caught = panic::catch_unwind(AssertUnwindSafe(|| {
                pool.install(|| {
                    let here = thread::current().id();
                    let helped = AtomicBool::new(false);
                    let body = |_: usize| {
                        // Long enough for a helper to come; which fails.
                        thread::sleep(Duration::from_millis(1));
                        if thread::current().id() != here {
                            helped.store(true, Ordering::Relaxed);
                            panic!("as meant");
                        }
                    };
                    let ran = for_each(50, &body);
                    assert!(!ran || !helped.load(Ordering::Relaxed), "the panic was lost");
                });
            }));
            let reason = caught.err().map(|reason| reason.downcast_ref::<&str>().copied());
            // Another test may have the team.
            assert!(reason.is_none() || reason == Some(Some("as meant")), "{reason:?}");
            assert_eq!(pool.install(|| counted(10)), vec![1; 10]);
        }
    }

    #[test]
    fn threads_have_the_same_chunks_of_each_computation() {
        let job = Job::new(10, 3, &|_| {});
        let taken = |share: &AtomicU64, first| {
            std::iter::from_fn(|| Job::take(share, first)).collect::<Vec<_>>()
        };
        assert_eq!(taken(&job.shares[0], true), [0, 1, 2]);
        assert_eq!(taken(&job.shares[1], false), [5, 4, 3]);
        assert_eq!(Job::take(&job.shares[2], false), Some(9));
        assert_eq!(taken(&job.shares[2], true), [6, 7, 8]);
        let all: BTreeSet<_> =
            Job::new(10, 16, &|_| {}).shares.iter().flat_map(|s| taken(s, true)).collect();
        assert_eq!(all, (0..10).collect());
    }
}
