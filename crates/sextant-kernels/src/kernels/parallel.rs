use std::cell::{Cell, RefCell};

use rayon::prelude::*;

/// Fewer elementary operations than this are not worth waking a thread for.
const WORTHWHILE: usize = 1 << 16;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body` with every kernel that it calls on the calling thread alone, however large the work is; the
/// numbers are the same, because no sum depends on the number of threads. For many small requests that come
/// on threads of their own, where spreading one over others would only make these wait.
pub fn on_this_thread<T>(body: impl FnOnce() -> T) -> T {
    /// Also when `body` panics.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _restore = Restore(ALONE.replace(true));
    body()
}

/// Whether a piece of work is to be spread over threads.
fn spreads(tasks: usize, work: usize) -> bool {
    tasks > 1 && work >= WORTHWHILE && !ALONE.get()
}

/// Runs `body` for each of `tasks` chunks, on several threads when there is enough `work`
/// (elementary operations in all of them together).
pub(crate) fn for_each(tasks: usize, work: usize, body: impl Fn(usize) + Sync + Send) {
    if spreads(tasks, work) {
        (0..tasks).into_par_iter().with_max_len(1).for_each(body);
    } else {
        (0..tasks).for_each(body);
    }
}

/// Like [`for_each`], collecting what each chunk returns, in order.
pub(crate) fn map<T: Send>(
    tasks: usize,
    work: usize,
    body: impl Fn(usize) -> T + Sync + Send,
) -> Vec<T> {
    if spreads(tasks, work) {
        (0..tasks).into_par_iter().with_max_len(1).map(body).collect()
    } else {
        (0..tasks).map(body).collect()
    }
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

// SAFETY: the pointer comes from an exclusive borrow; whoever writes through it (which takes an
// unsafe block) promises that threads touch disjoint elements.
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: the same holds for a shared copy of the pointer, which is `Copy` anyway.
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

    /// The element at `index`; in bounds when the slice is that long.
    #[inline(always)]
    pub(crate) fn at(self, index: usize) -> *mut T {
        self.0.wrapping_add(index)
    }
}

/// Room for numbers that tasks are about to write. It is not zeroed, which would cost a pass over memory, and
/// there is no number to be read before [`Room::filled`] says that all are there.
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

    /// Where the numbers go, for tasks that write disjoint parts.
    pub(crate) fn shared(&mut self) -> SharedMut<T> {
        SharedMut(self.buffer.as_mut_ptr())
    }

    /// Where they start, for reading those that were written.
    pub(crate) fn start(&self) -> *const T {
        self.buffer.as_ptr()
    }

    /// The numbers.
    ///
    /// # Safety
    /// All of them were written.
    pub(crate) unsafe fn filled(mut self) -> Vec<T> {
        // SAFETY: the capacity is there since `new`, and the caller promises that all elements were written.
        unsafe { self.buffer.set_len(self.len) };
        self.buffer
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// This thread's scratch, taken until it is dropped.
///
/// Not a closure's argument, because code in a closure may not be inlined into the entry point of
/// a kernel, and only inlined code may use its vector instructions.
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// At least `len` numbers, with any content. Scratch keeps its size between uses; a second
    /// one taken while the first lives is allocated afresh.
    pub(crate) fn take(len: usize) -> Self {
        let mut buffer = SCRATCH.take();
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        Self(buffer)
    }

    /// Where the scratch starts.
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

    #[test]
    fn alone_means_on_the_calling_thread_until_the_end() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let elsewhere = || {
            let here = thread::current().id();
            map(64, WORTHWHILE, |_| thread::current().id() != here).contains(&true)
        };
        // Asked from outside of the pool, all of it would run inside.
        assert!(!on_this_thread(elsewhere));
        assert!(elsewhere());
        assert!(!pool.install(|| on_this_thread(elsewhere)));
        let panicked = std::panic::catch_unwind(|| on_this_thread(|| panic!("as meant")));
        assert!(panicked.is_err() && elsewhere());
    }
}
