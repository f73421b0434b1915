use std::cell::RefCell;

use half::bf16;
use rayon::prelude::*;

/// Fewer elementary operations than this are not worth waking a thread for.
const WORTHWHILE: usize = 1 << 16;

/// Runs `body` for each of `tasks` chunks, on several threads when there is enough `work`
/// (elementary operations in all of them together).
pub(crate) fn for_each(tasks: usize, work: usize, body: impl Fn(usize) + Sync + Send) {
    if tasks > 1 && work >= WORTHWHILE {
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
    if tasks > 1 && work >= WORTHWHILE {
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
// SAFETY: as above.
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

/// Numbers of which every bit pattern is one.
pub(crate) trait AnyBits: Copy {}

impl AnyBits for f32 {}
impl AnyBits for bf16 {}

/// A vector of `len` numbers with any content: every element must be written before it is read.
#[expect(clippy::uninit_vec, reason = "zeroing costs a pass over memory")]
pub(crate) fn uninitialised<T: AnyBits>(len: usize) -> Vec<T> {
    let mut buffer = Vec::with_capacity(len);
    // SAFETY: the capacity is there, every bit pattern is a number, and callers write before reading.
    unsafe {
        buffer.set_len(len);
    }
    buffer
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
