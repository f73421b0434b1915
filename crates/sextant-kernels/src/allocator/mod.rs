//! A global allocator that keeps large blocks for the next step.
//!
//! Every training step asks for the same few hundred buffers of megabytes. The system allocator maps and unmaps
//! them each time, so that every page of them faults and is cleared again, which takes a third of a small
//! encoder's step. [`CachingAllocator`] keeps the buffers instead.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod system;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The smallest block that is cached: 64 KiB. Smaller ones go to the inner allocator.
const SMALLEST: usize = 1 << 16;
/// The number of size classes: four for each doubling of the size, from 64 KiB to 64 GiB.
const CLASSES: usize = 4 * 20;
/// The size of a huge page.
const HUGE: usize = 2 << 20;
/// The time between two sweeps, in milliseconds. It is as long as dozens of training steps: steps with other
/// lengths ask for blocks of other sizes, and a block that was given back too early has to be mapped and
/// cleared again.
const SWEEP_EVERY: u64 = 10_000;

/// How often [`release_free_blocks`] was called.
static RELEASES: AtomicU64 = AtomicU64::new(0);

/// Asks every [`CachingAllocator`] of the process to give its free blocks back to the system, which it does at
/// its next call that frees a block. This is for the moments at which a program turns to other work, whose
/// blocks have other sizes: until the next sweep, it would hold those of both.
pub fn release_free_blocks() {
    RELEASES.fetch_add(1, Ordering::Relaxed);
}

/// An allocator that keeps freed blocks of 64 KiB and more for reuse, up to a bound.
///
/// Sizes are rounded up to a size class, of which there are four for each doubling, so at most a quarter of a
/// block is unused. Blocks of 2 MiB and more are aligned to huge pages, and the system is asked to use huge
/// pages for them. The size of all free blocks together never exceeds the limit given to [`Self::new`]: a block
/// that would exceed it goes straight back to the system. Blocks that were not needed for ten seconds go back
/// to the system at the next call that frees a block. [`Self::release`] gives all free blocks back at once, for
/// a program that becomes idle.
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
    /// The calls of [`release_free_blocks`] that were followed.
    released: AtomicU64,
}

/// The free blocks of a size class, a linked list whose links are stored in the first bytes of the blocks.
struct FreeList {
    first: *mut FreeBlock,
    count: usize,
    /// The least `count` since the last sweep, which is the number of blocks that were not needed since then.
    idle: usize,
}

struct FreeBlock {
    next: *mut FreeBlock,
}

// SAFETY: the pointers of a list lead to free blocks, which only the thread that holds the list may access: the
// thread that pushes a block has freed it and uses it no longer, and popping a block removes it from the list.
// Blocks are memory of the process and not of a thread, so a list may move to another thread.
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
            released: AtomicU64::new(0),
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
        // A poisoned list is still consistent, because no code that holds the lock can panic halfway through a
        // change.
        self.classes[class].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives as many free blocks of a class back to the system as `surplus` returns.
    fn shrink(&self, class: usize, surplus: impl FnOnce(&FreeList) -> usize) {
        let mut list = self.list(class);
        for _ in 0..surplus(&list) {
            let Some(block) = list.pop() else { break };
            self.cached.fetch_sub(class_size(class), Ordering::Relaxed);
            self.unmap(block, class);
        }
        list.idle = list.count;
    }

    /// If the last sweep is long enough ago, gives back the blocks that were free all the time since then.
    fn sweep(&self) {
        let asked = RELEASES.load(Ordering::Relaxed);
        if self.released.load(Ordering::Relaxed) != asked {
            self.released.store(asked, Ordering::Relaxed);
            return self.release();
        }
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
        // SAFETY: `system::unmap` requires a block from `system::map`, the size that it was mapped with, and
        // that the block is not used any more. All blocks of a class come from `map`, with the size of that
        // class. Both callers own the block: `shrink` has popped it from the list of free blocks, and `give`
        // got it from the code that freed it and has not put it into a list.
        unsafe { system::unmap(block, class_size(class)) };
        self.mapped.fetch_sub(class_size(class), Ordering::Relaxed);
    }

    /// A block of a class, or null, and whether all of its bytes are known to be zero.
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
        // The block is counted before it is put into the list, so that the limit holds at every moment.
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
        // SAFETY: the pointer is not null, so `push` has stored it and has written a link into the block's
        // first bytes. Nothing has written into the block since, because the block belongs to the list, which
        // is borrowed exclusively here. So the pointer is valid and aligned, and the link is initialized.
        self.first = unsafe { (*block).next };
        self.count -= 1;
        self.idle = self.idle.min(self.count);
        Some(block.cast())
    }

    #[expect(clippy::cast_ptr_alignment, reason = "blocks start at whole pages")]
    fn push(&mut self, block: *mut u8) {
        let block = block.cast::<FreeBlock>();
        // SAFETY: the caller gives up a block from `map`. It has at least 64 KiB of writable memory, which is
        // more than a link, and starts at a page, which is aligned for a link. Nothing else uses the block,
        // and its content is not needed any more, so it may be overwritten.
        unsafe { block.write(FreeBlock { next: self.first }) };
        self.first = block;
        self.count += 1;
    }
}

/// The size class of a layout, if blocks of this layout are cached.
fn class_of(layout: Layout) -> Option<usize> {
    let size = layout.size();
    if size < SMALLEST || layout.align() > 4096 {
        return None;
    }
    if size == SMALLEST {
        return Some(0);
    }
    // With 2^e < size <= 2^(e + 1), `quarter` is the quarter of this range in which the size lies.
    let e = (size - 1).ilog2() as usize;
    let quarter = ((size - 1) >> (e - 2)) & 3;
    let class = (e - 16) * 4 + quarter + 1;
    (class < CLASSES).then_some(class)
}

/// The size of the blocks of a class.
const fn class_size(class: usize) -> usize {
    (4 + class % 4) << (14 + class / 4)
}

// SAFETY: the layout alone decides whether a block comes from the lists or from the inner allocator
// (`class_of`), so a block goes back to where it came from. For a layout with a class, the block comes from
// `take`: it is either null, or mapped with the size of its class, which is not less than the layout's size. It
// starts at a page, which is aligned to 4096 bytes, the most that a layout with a class asks for. A block is
// either in a list or owned by one caller, never both: `take` removes it from the list, and `give` puts it into
// the list when its owner frees it. All other layouts are served by the inner allocator, which fulfils the
// requirements of `GlobalAlloc` itself. Nothing here unwinds: a poisoned lock is taken like any other.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CachingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class_of(layout) {
            Some(class) => self.take(class).0,
            // SAFETY: `GlobalAlloc::alloc` requires a layout with a size above zero. The caller has promised
            // this of the layout, which is passed on unchanged.
            None => unsafe { self.inner.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class_of(layout) {
            Some(class) => self.give(block, class),
            // SAFETY: the caller has promised that this allocator gave out the block with this layout, and that
            // it is not used any more. A layout without a class is always served by the inner allocator,
            // because `alloc`, `alloc_zeroed` and `realloc` decide by `class_of` too. So the inner allocator
            // gave out the block, with the layout that it is given back with.
            None => unsafe { self.inner.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            // SAFETY: `GlobalAlloc::alloc_zeroed` requires a layout with a size above zero. The caller has
            // promised this of the layout, which is passed on unchanged.
            return unsafe { self.inner.alloc_zeroed(layout) };
        };
        let (block, zero) = self.take(class);
        if !zero && !block.is_null() {
            // SAFETY: the block is not null and was taken from the list, so nothing else uses it. It has the
            // size of its class, which is not less than the layout's size, so all bytes that are written lie in
            // it.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the alignment is that of a layout, so it is a power of two. The caller of
        // `GlobalAlloc::realloc` promises that the new size, rounded up to this alignment, does not overflow
        // `isize`.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(new)) {
            (None, None) => {
                // SAFETY: the caller has promised that this allocator gave out the block with the old layout
                // and that it is not freed yet. The old layout has no class, so the inner allocator gave it
                // out. The new size is above zero and does not overflow with this alignment, as the caller has
                // promised too. The new layout has no class either, so the block will be given back to the
                // inner allocator.
                unsafe { self.inner.realloc(block, layout, size) }
            }
            (old, new) if old == new => block,
            _ => {
                // SAFETY: `alloc` requires a size above zero, which the caller has promised of the new size.
                // The old block is not freed yet and has at least the size of `layout`, and the new block has
                // at least `size` bytes, so both hold the smaller of the two sizes. They do not overlap,
                // because `alloc` never gives out a block that is owned, as the old one still is. This
                // allocator gave out the old block with `layout`, and the caller may not use it after a
                // successful `realloc`, so it may be freed. If there is no new block, the old one is left as it
                // was.
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
