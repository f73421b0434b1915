//! A global allocator that keeps large blocks for the next step.
//!
//! A training step asks for the same few hundred buffers of megabytes again and again. The system
//! allocator maps and unmaps them each time, and every page of them faults and is cleared anew:
//! a third of a small encoder's step. [`CachingAllocator`] keeps them instead.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod system;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The smallest block that is cached: 64 KiB. Smaller ones go to the inner allocator.
const SMALLEST: usize = 1 << 16;
/// Size classes: four to each doubling, from 64 KiB to 64 GiB.
const CLASSES: usize = 4 * 20;
/// The size of a huge page.
const HUGE: usize = 2 << 20;
/// Between two sweeps, in milliseconds: dozens of training steps, since steps of another mix of lengths
/// ask for other sizes, and each block that comes back from the system has its pages cleared.
const SWEEP_EVERY: u64 = 10_000;

/// An allocator that keeps freed blocks of 64 KiB and more for reuse, up to a bound.
///
/// Sizes are rounded up to one of four classes to a doubling, so at most a quarter of a block is
/// unused. Blocks of 2 MiB and more are aligned to huge pages and ask for them. What is free and
/// kept never exceeds the limit given to [`Self::new`]: a block beyond it goes straight back to
/// the system. Blocks that nobody needed for ten seconds go back at the next call that frees one,
/// and [`Self::release`] gives everything back at once, for a program that falls idle.
///
/// ```
/// use sextant_kernels::CachingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CachingAllocator = CachingAllocator::new(1 << 30);
/// # let buffer = vec![1u8; 1 << 20];
/// # drop(buffer);
/// # assert!(ALLOCATOR.cached() >= 1 << 20);
/// ```
pub struct CachingAllocator<A = System> {
    inner: A,
    limit: usize,
    classes: [Mutex<FreeList>; CLASSES],
    cached: AtomicUsize,
    mapped: AtomicUsize,
    swept: AtomicU64,
    sweep_every: u64,
}

/// The free blocks of a class, linked through their first words.
struct FreeList {
    first: *mut FreeBlock,
    count: usize,
    /// The least `count` since the last sweep: blocks that nobody needed.
    idle: usize,
}

struct FreeBlock {
    next: *mut FreeBlock,
}

// SAFETY: the list owns its blocks, and is only reached under its lock.
unsafe impl Send for FreeList {}

impl CachingAllocator {
    /// Keeps at most `limit` bytes of free blocks; small blocks come from the system's allocator.
    pub const fn new(limit: usize) -> Self {
        Self::over(System, limit)
    }
}

impl<A> CachingAllocator<A> {
    /// Like [`CachingAllocator::new`], with another allocator for small blocks.
    pub const fn over(inner: A, limit: usize) -> Self {
        const EMPTY: FreeList = FreeList { first: ptr::null_mut(), count: 0, idle: 0 };
        Self {
            inner,
            limit,
            classes: [const { Mutex::new(EMPTY) }; CLASSES],
            cached: AtomicUsize::new(0),
            mapped: AtomicUsize::new(0),
            swept: AtomicU64::new(0),
            sweep_every: SWEEP_EVERY,
        }
    }

    /// Bytes of free blocks that are kept.
    pub fn cached(&self) -> usize {
        self.cached.load(Ordering::Relaxed)
    }

    /// Bytes of large blocks held from the system, free or in use.
    pub fn mapped(&self) -> usize {
        self.mapped.load(Ordering::Relaxed)
    }

    /// Gives all free blocks back to the system.
    pub fn release(&self) {
        for class in 0..CLASSES {
            self.shrink(class, |list| list.count);
        }
    }

    fn list(&self, class: usize) -> MutexGuard<'_, FreeList> {
        // nothing that holds the lock can panic halfway through a change
        self.classes[class].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unmaps as many free blocks of a class as `surplus` says.
    fn shrink(&self, class: usize, surplus: impl FnOnce(&FreeList) -> usize) {
        let mut list = self.list(class);
        for _ in 0..surplus(&list) {
            let Some(block) = list.pop() else { break };
            self.cached.fetch_sub(class_size(class), Ordering::Relaxed);
            self.unmap(block, class);
        }
        list.idle = list.count;
    }

    /// Every ten seconds, gives back the blocks that were free all the time since the last sweep.
    fn sweep(&self) {
        let (now, last) = (system::milliseconds(), self.swept.load(Ordering::Relaxed));
        let due = now.saturating_sub(last) >= self.sweep_every;
        let exchange = |to| {
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            self.swept.compare_exchange(last, to, success, failure)
        };
        if due && exchange(now).is_ok() && last != 0 {
            for class in 0..CLASSES {
                self.shrink(class, |list| list.idle);
            }
        }
    }

    fn map(&self, class: usize) -> *mut u8 {
        let block = system::map(class_size(class));
        if !block.is_null() {
            self.mapped.fetch_add(class_size(class), Ordering::Relaxed);
        }
        block
    }

    fn unmap(&self, block: *mut u8, class: usize) {
        // SAFETY: the block came from `map` with this class, and nobody uses it.
        unsafe { system::unmap(block, class_size(class)) };
        self.mapped.fetch_sub(class_size(class), Ordering::Relaxed);
    }

    /// A block of a class, and whether it is known to be zero.
    fn take(&self, class: usize) -> (*mut u8, bool) {
        let block = self.list(class).pop();
        match block {
            Some(block) => {
                self.cached.fetch_sub(class_size(class), Ordering::Relaxed);
                (block, false)
            }
            None => (self.map(class), true),
        }
    }

    fn give(&self, block: *mut u8, class: usize) {
        let size = class_size(class);
        // counted before it is listed, so that the bound holds at every moment
        if self.cached.fetch_add(size, Ordering::Relaxed) + size > self.limit {
            self.cached.fetch_sub(size, Ordering::Relaxed);
            self.unmap(block, class);
        } else {
            self.list(class).push(block);
        }
        self.sweep();
    }
}

impl FreeList {
    fn pop(&mut self) -> Option<*mut u8> {
        let block = self.first;
        if block.is_null() {
            return None;
        }
        // SAFETY: listed blocks are ours and hold a link.
        self.first = unsafe { (*block).next };
        self.count -= 1;
        self.idle = self.idle.min(self.count);
        Some(block.cast())
    }

    #[expect(clippy::cast_ptr_alignment, reason = "blocks start at whole pages")]
    fn push(&mut self, block: *mut u8) {
        let block = block.cast::<FreeBlock>();
        // SAFETY: the block was given to us, is larger than a link and aligned to a page.
        unsafe { block.write(FreeBlock { next: self.first }) };
        self.first = block;
        self.count += 1;
    }
}

/// The class of a layout, if it is one that is cached.
fn class_of(layout: Layout) -> Option<usize> {
    let size = layout.size();
    if size < SMALLEST || layout.align() > 4096 {
        return None;
    }
    if size == SMALLEST {
        return Some(0);
    }
    // with 2^e < size <= 2^(e + 1): the quarter of that range that size ends in
    let e = (size - 1).ilog2() as usize;
    let quarter = ((size - 1) >> (e - 2)) & 3;
    let class = (e - 16) * 4 + quarter + 1;
    (class < CLASSES).then_some(class)
}

/// The size of the blocks of a class.
const fn class_size(class: usize) -> usize {
    (4 + class % 4) << (14 + class / 4)
}

// SAFETY: blocks of cached classes are mapped with at least the size asked for and at least page
// alignment, belong to one owner at a time, and go back by the class their layout gives; all other
// requests are the inner allocator's.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CachingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class_of(layout) {
            Some(class) => self.take(class).0,
            // SAFETY: passed on to the caller.
            None => unsafe { self.inner.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class_of(layout) {
            Some(class) => self.give(block, class),
            // SAFETY: passed on to the caller.
            None => unsafe { self.inner.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            // SAFETY: passed on to the caller.
            return unsafe { self.inner.alloc_zeroed(layout) };
        };
        let (block, zero) = self.take(class);
        if !zero && !block.is_null() {
            // SAFETY: the block is at least that large.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that size and alignment make a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(new)) {
            (None, None) => {
                // SAFETY: passed on to the caller.
                unsafe { self.inner.realloc(block, layout, size) }
            }
            (old, new) if old == new => block,
            _ => {
                // SAFETY: both blocks hold the smaller size; the old one is not used again.
                unsafe {
                    let to = self.alloc(new);
                    if !to.is_null() {
                        ptr::copy_nonoverlapping(block, to, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    to
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
