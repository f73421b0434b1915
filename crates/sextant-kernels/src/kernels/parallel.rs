use std::cell::{Cell, RefCell};

use rayon::prelude::*;

use super::team;
use crate::simd;

/// The number of elementary operations from which a computation is spread over several threads.
const WORTHWHILE: usize = 1 << 16;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, and with it every kernel that it calls, on the calling thread alone, however large the work is.
/// The results are the same, because no sum depends on the number of threads. This is meant for many small
/// requests, each on a thread of its own, where spreading one request over several threads would only make the
/// other requests wait.
pub fn on_this_thread<T>(body: impl FnOnce() -> T) -> T {
    /// Restores the setting of the thread, also when `body` panics.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _restore = Restore(ALONE.replace(true));
    body()
}

/// Runs `body` on a thread of rayon's pool; here, if the calling thread is one of them or computes alone
/// ([`on_this_thread`]).
///
/// A computation that is spread from outside of the pool wakes a thread of the pool and puts the calling thread to
/// sleep, once for each operation. Within the pool, the calling thread begins
/// at once and shares its work with whoever is awake. So whoever calls many operations in a row calls them in here.
pub fn within_pool<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    if ALONE.get() || rayon::current_thread_index().is_some() {
        return body();
    }
    let level = simd::level();
    rayon::scope(|_| simd::with_level(level, body))
}

/// How many threads share a computation of the calling thread.
pub(crate) fn threads() -> usize {
    if ALONE.get() { 1 } else { rayon::current_num_threads() }
}

/// The rows of a block, if rows are divided evenly into blocks of at most `most`; a multiple of `multiple`, of which
/// `most` is one, too.
pub(crate) fn even_block(rows: usize, most: usize, multiple: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).max(1)).next_multiple_of(multiple)
}

/// Whether a computation is to be spread over several threads.
fn spreads(tasks: usize, work: usize) -> bool {
    tasks > 1 && work >= WORTHWHILE && !ALONE.get()
}

/// Runs `body` for each of `tasks` chunks, on several threads if there is enough `work`, the number of
/// elementary operations of all chunks together.
pub(crate) fn for_each(tasks: usize, work: usize, body: impl Fn(usize) + Sync + Send) {
    if !spreads(tasks, work) {
        (0..tasks).for_each(body);
    } else if !team::for_each(tasks, &body) {
        (0..tasks).into_par_iter().with_max_len(1).for_each(body);
    }
}

/// Like [`for_each`], collecting what each chunk returns, in order.
pub(crate) fn map<T: Send>(
    tasks: usize,
    work: usize,
    body: impl Fn(usize) -> T + Sync + Send,
) -> Vec<T> {
    let mut results: Vec<Option<T>> = (0..tasks).map(|_| None).collect();
    let to = SharedMut::new(&mut results);
    for_each(tasks, work, |task| {
        // SAFETY: each task writes the one element that is its own, and `results` outlives all of them.
        unsafe { *to.at(task) = Some(body(task)) }
    });
    results.into_iter().flatten().collect()
}

/// A pointer to a buffer whose disjoint parts several threads write.
#[derive(Debug)]
pub(crate) struct SharedMut<T>(*mut T);

impl<T> Clone for SharedMut<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for SharedMut<T> {}

// SAFETY: a `SharedMut` only carries the pointer; no safe method dereferences it. Code that does so needs an
// unsafe block, in which it promises that the buffer is alive and that threads access disjoint elements. These
// elements are `Send`, so another thread may write them.
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: a reference to a `SharedMut` gives other threads nothing but copies of the pointer. Code that
// dereferences one needs an unsafe block, in which it promises that the buffer is alive and that threads access
// disjoint elements. These elements are `Send`, so another thread may write them.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> From<*mut T> for SharedMut<T> {
    fn from(start: *mut T) -> Self {
        Self(start)
    }
}

impl<T> SharedMut<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// A pointer to the element at `index`, which is valid only if the slice is longer than `index`.
    #[inline(always)]
    pub(crate) fn at(self, index: usize) -> *mut T {
        self.0.wrapping_add(index)
    }
}

/// A buffer for numbers that tasks are about to write. It is not set to zero, which would cost a pass over
/// memory. Its numbers cannot be read by safe code before [`Room::filled`] states that all were written.
#[derive(Debug)]
pub(crate) struct Room<T> {
    /// Empty, with a capacity of at least `len`.
    buffer: Vec<T>,
    len: usize,
}

impl<T: Copy> Room<T> {
    pub(crate) fn new(len: usize) -> Self {
        Self { buffer: Vec::with_capacity(len), len }
    }

    /// A pointer through which tasks write disjoint parts of the numbers.
    pub(crate) fn shared(&mut self) -> SharedMut<T> {
        SharedMut(self.buffer.as_mut_ptr())
    }

    /// A pointer to the first number, for reading numbers that were already written.
    pub(crate) fn start(&self) -> *const T {
        self.buffer.as_ptr()
    }

    /// The numbers, after all of them were written.
    ///
    /// # Safety
    /// All numbers were written.
    pub(crate) unsafe fn filled(mut self) -> Vec<T> {
        // SAFETY: `new` has allocated a capacity of at least `len`, and the caller promises that all `len`
        // elements were written.
        unsafe { self.buffer.set_len(self.len) };
        self.buffer
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// A buffer for intermediate results, which this thread reuses from one kernel to the next.
///
/// It is a value, and not the argument of a closure, because the compiler may not inline a closure into the
/// entry point of a kernel, and only inlined code may use the vector instructions.
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// A scratch of at least `len` numbers, whose values are left over from earlier uses. The buffer keeps its
    /// size between uses. A second scratch that is taken while the first one is alive is a new allocation.
    pub(crate) fn take(len: usize) -> Self {
        let mut buffer = SCRATCH.take();
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        Self(buffer)
    }

    /// A pointer to the first number.
    pub(crate) fn start(&mut self) -> *mut f32 {
        self.0.as_mut_ptr()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        SCRATCH.set(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn within_the_pool_unless_alone_and_at_the_same_level() {
        let here = || thread::current().id();
        let me = here();
        assert_ne!(within_pool(here), me);
        assert!(within_pool(|| within_pool(here) == here()));
        assert_eq!(on_this_thread(|| within_pool(here)), me);
        for level in simd::Level::supported() {
            let found = simd::with_level(level, || within_pool(simd::level));
            assert!(found == level, "{level:?}");
        }
    }

    #[test]
    fn alone_means_on_the_calling_thread_until_the_end() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let elsewhere = || {
            let here = thread::current().id();
            // Long enough for a helper to come.
            let body = |_| {
                thread::sleep(Duration::from_millis(2));
                thread::current().id() != here
            };
            map(64, WORTHWHILE, body).contains(&true)
        };
        assert!(!on_this_thread(elsewhere));
        assert!(elsewhere());
        assert!(!pool.install(|| on_this_thread(elsewhere)));
        let panicked = std::panic::catch_unwind(|| on_this_thread(|| panic!("as meant")));
        assert!(panicked.is_err() && elsewhere());
    }
}
