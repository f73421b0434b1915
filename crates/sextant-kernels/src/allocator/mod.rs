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

// SAFETY: the pointers of a list lead to free blocks that no thread but the one holding the list may
// touch: a block is pushed by the thread that freed it, which gives it up with that, and whoever pops it
// takes it out. Blocks are memory of the process, not of a thread. So a list may move to another thread.
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
        // SAFETY: `system::unmap` wants a block of `system::map` with the size that it was mapped with, which
        // nobody uses. Blocks of a class come from `map` alone, with the size of that class. Both callers
        // own the block: `shrink` has popped it from the list of free blocks, and `give` got it from the
        // owner that freed it and has not listed it.
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
        // SAFETY: the pointer is not null, so `push` put it there and wrote a link into the block's first
        // bytes. Nobody has written into the block since, because it is owned by the list, which we hold
        // exclusively. So the pointer is valid and aligned, and the link is initialized.
        self.first = unsafe { (*block).next };
        self.count -= 1;
        self.idle = self.idle.min(self.count);
        Some(block.cast())
    }

    #[expect(clippy::cast_ptr_alignment, reason = "blocks start at whole pages")]
    fn push(&mut self, block: *mut u8) {
        let block = block.cast::<FreeBlock>();
        // SAFETY: the caller gives up a block that `map` made: at least 64 KiB that can be written, which is
        // more than a link, at the start of a page, which is aligned for a link. Nobody else uses it, and
        // what it held is of no use any more, so writing over it destroys nothing.
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

// SAFETY: a layout alone decides who serves it (`class_of`), so a block goes back to where it came from. A
// layout with a class gets a block of `take`: either null, or mapped with the size of its class, which is
// not less than the layout's, at the start of a page, which is aligned for the 4096 bytes that such a
// layout asks for at most. A block is in a list or with one owner, never both: `take` removes it from the
// list, and `give` lists it when its owner frees it. All other layouts are served by the inner allocator,
// which keeps these promises itself. Nothing here unwinds: locks that are poisoned are taken all the same.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CachingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class_of(layout) {
            Some(class) => self.take(class).0,
            // SAFETY: `GlobalAlloc::alloc` asks its caller for a layout of a size above zero. Our caller has
            // promised the same of this very layout, which we hand on unchanged.
            None => unsafe { self.inner.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class_of(layout) {
            Some(class) => self.give(block, class),
            // SAFETY: our caller has promised that this block was allocated by us with this layout, and is
            // used no more. A layout without a class is always served by the inner allocator (`alloc`,
            // `alloc_zeroed` and `realloc` ask `class_of` too), so it is the one that made the block, with
            // the layout that it is given back with.
            None => unsafe { self.inner.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            // SAFETY: as for `alloc`, the size must be above zero. Our caller has promised it of this very
            // layout, which we hand on unchanged.
            return unsafe { self.inner.alloc_zeroed(layout) };
        };
        let (block, zero) = self.take(class);
        if !zero && !block.is_null() {
            // SAFETY: the block is not null and was taken from the list, so it is ours alone. It has the size
            // of its class, which is not less than the layout's, so all bytes that are written are in it.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the alignment is that of a layout, so it is a power of two. `GlobalAlloc::realloc` has its
        // caller promise that the new size, rounded up to this alignment, does not overflow `isize`.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(new)) {
            (None, None) => {
                // SAFETY: the old layout has no class, so the inner allocator made the block with this layout;
                // our caller has promised that it is a live block of ours. The new size is above zero and
                // does not overflow with this alignment, as our caller has promised too. The new layout
                // has no class either, so the block will be given back to the inner allocator.
                unsafe { self.inner.realloc(block, layout, size) }
            }
            (old, new) if old == new => block,
            _ => {
                // SAFETY: `alloc` wants a size above zero, which our caller has promised of the new one. The old
                // block is live and has at least its layout's size, the new one at least `size`, so both
                // hold the smaller of the two. They do not overlap, because the old one is still owned and
                // `alloc` never gives out an owned block. The old one came from us with `layout`, and the
                // caller may not use it after we return the new one, so it may be freed; if there is no
                // new one, it stays as it was.
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
