//! A global allocator that keeps large blocks for the next step.
//!
//! A training step asks for the same few hundred buffers of megabytes again and again. The system
//! allocator maps and unmaps them each time, and every page of them faults and is cleared anew:
//! a third of a small encoder's step. [`CachingAllocator`] keeps them instead.

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
/// Between two sweeps, in milliseconds.
const SWEEP_EVERY: u64 = 2_000;

/// An allocator that keeps freed blocks of 64 KiB and more for reuse, up to a bound.
///
/// Sizes are rounded up to one of four classes to a doubling, so at most a quarter of a block is
/// unused. Blocks of 2 MiB and more are aligned to huge pages and ask for them. What is free and
/// kept never exceeds the limit given to [`Self::new`]: a block beyond it goes straight back to
/// the system. Blocks that nobody needed for two seconds go back at the next call that frees one,
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

    /// Every two seconds, gives back the blocks that were free all the time since the last sweep.
    fn sweep(&self) {
        let (now, last) = (system::milliseconds(), self.swept.load(Ordering::Relaxed));
        let due = now.saturating_sub(last) >= SWEEP_EVERY;
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

#[cfg(unix)]
mod system {
    use super::HUGE;

    /// Fresh zeroed pages, aligned to huge ones where that large; null when there are none.
    pub(super) fn map(size: usize) -> *mut u8 {
        let huge = size >= HUGE;
        let length = reserved(size);
        let slack = if huge { HUGE } else { 0 };
        // SAFETY: a new private mapping; parts outside the aligned block are given back.
        unsafe {
            let start = libc::mmap(
                std::ptr::null_mut(),
                length + slack,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON,
                -1,
                0,
            );
            if start == libc::MAP_FAILED {
                return std::ptr::null_mut();
            }
            if !huge {
                return start.cast();
            }
            let before = start.align_offset(HUGE);
            let block = start.byte_add(before);
            if before > 0 {
                libc::munmap(start, before);
            }
            if slack > before {
                libc::munmap(block.byte_add(length), slack - before);
            }
            #[cfg(target_os = "linux")]
            libc::madvise(block, length, libc::MADV_HUGEPAGE);
            block.cast()
        }
    }

    /// What is mapped for a size: whole pages.
    fn reserved(size: usize) -> usize {
        size.next_multiple_of(if size >= HUGE { HUGE } else { 4096 })
    }

    /// # Safety
    /// The block came from [`map`] with this size and is not used any more.
    pub(super) unsafe fn unmap(block: *mut u8, size: usize) {
        // SAFETY: the caller's promise.
        unsafe { libc::munmap(block.cast(), reserved(size)) };
    }

    /// A clock that never goes back.
    pub(super) fn milliseconds() -> u64 {
        #[cfg(target_os = "linux")]
        const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;
        #[cfg(not(target_os = "linux"))]
        const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call fills the structure it is given.
        unsafe { libc::clock_gettime(CLOCK, &raw mut time) };
        time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000 + 1
    }
}

#[cfg(not(unix))]
mod system {
    use std::alloc::{GlobalAlloc, Layout, System};

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 4096).unwrap_or(Layout::new::<u8>())
    }

    pub(super) fn map(size: usize) -> *mut u8 {
        // SAFETY: the size is not zero.
        unsafe { System.alloc_zeroed(layout(size)) }
    }

    pub(super) unsafe fn unmap(block: *mut u8, size: usize) {
        // SAFETY: the block came from `map` with this size.
        unsafe { System.dealloc(block, layout(size)) };
    }

    /// Without a clock that never allocates, blocks are only given back beyond the bound.
    pub(super) fn milliseconds() -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 64).unwrap()
    }

    #[test]
    fn classes_hold_their_sizes() {
        assert_eq!(class_of(layout(SMALLEST - 1)), None);
        let mut previous = 0;
        for size in (SMALLEST..1 << 22).step_by(997).chain([SMALLEST, 1 << 20, (1 << 20) + 1]) {
            let class = class_of(layout(size)).unwrap();
            assert!(class_size(class) >= size && class_size(class) <= size * 5 / 4, "{size}");
            if size > previous {
                previous = size;
            }
        }
        for class in 0..CLASSES {
            assert_eq!(class_of(layout(class_size(class))), Some(class));
        }
        assert_eq!(class_of(Layout::from_size_align(1 << 20, 8192).unwrap()), None);
    }

    /// Allocates, fills and frees through the trait.
    fn cycle(allocator: &CachingAllocator, size: usize) -> *mut u8 {
        // SAFETY: the block is written within its size and freed with its layout.
        unsafe {
            let block = allocator.alloc(layout(size));
            assert!(!block.is_null() && block.addr().is_multiple_of(4096));
            assert!(size < HUGE || block.addr().is_multiple_of(HUGE));
            block.write_bytes(0xa5, size);
            allocator.dealloc(block, layout(size));
            block
        }
    }

    #[test]
    fn blocks_are_reused_and_cleared_on_demand() {
        let allocator = CachingAllocator::new(64 << 20);
        for size in [66_000, 300_000, HUGE, 5 << 20] {
            let first = cycle(&allocator, size);
            let mapped = allocator.mapped();
            assert_eq!(cycle(&allocator, size - 100), first);
            assert_eq!(allocator.mapped(), mapped);
            // SAFETY: the block is read within its size and freed with its layout.
            unsafe {
                let block = allocator.alloc_zeroed(layout(size));
                let content = std::slice::from_raw_parts(block, size);
                assert!(content.iter().all(|&x| x == 0));
                allocator.dealloc(block, layout(size));
            }
        }
        assert_eq!(allocator.cached(), allocator.mapped());
        allocator.release();
        assert_eq!((allocator.cached(), allocator.mapped()), (0, 0));
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let allocator = CachingAllocator::new(4 << 20);
        // SAFETY: blocks are freed once, with their layout.
        unsafe {
            let blocks: Vec<*mut u8> = (0..9).map(|_| allocator.alloc(layout(1 << 20))).collect();
            assert_eq!(allocator.mapped(), 9 << 20);
            for block in blocks {
                allocator.dealloc(block, layout(1 << 20));
            }
        }
        assert_eq!((allocator.cached(), allocator.mapped()), (4 << 20, 4 << 20));
        allocator.release();
    }

    #[test]
    fn idle_blocks_are_given_back() {
        let allocator = CachingAllocator::new(64 << 20);
        cycle(&allocator, 8 << 20);
        cycle(&allocator, 1 << 20);
        for _ in 0..2 {
            std::thread::sleep(std::time::Duration::from_millis(SWEEP_EVERY + 50));
            cycle(&allocator, 1 << 20);
        }
        assert_eq!(allocator.mapped(), 1 << 20);
        allocator.release();
    }

    #[test]
    fn growing_keeps_the_content() {
        let allocator = CachingAllocator::new(64 << 20);
        // SAFETY: each block is used within its size and freed with its layout.
        unsafe {
            let mut size = 1000;
            let mut block = allocator.alloc(layout(size));
            block.write_bytes(7, size);
            for larger in [SMALLEST - 1, SMALLEST, SMALLEST + 9, 90_000, 3 << 20, 70_000, 10] {
                block = allocator.realloc(block, layout(size), larger);
                let kept = std::slice::from_raw_parts(block, size.min(larger).min(1000));
                assert!(kept.iter().all(|&x| x == 7), "{larger}");
                size = larger;
            }
            allocator.dealloc(block, layout(size));
        }
    }
}
