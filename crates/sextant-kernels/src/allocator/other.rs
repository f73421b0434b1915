//! Blocks by the standard library's system allocator, where there is no `mmap`.

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
