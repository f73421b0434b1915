//! Blocks by the standard library's system allocator, where there is no `mmap`.

use std::alloc::{GlobalAlloc, Layout, System};

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 4096).unwrap_or(Layout::new::<u8>())
}

pub(super) fn map(size: usize) -> *mut u8 {
    // SAFETY: the layout must have a size above zero. Sizes of classes are at least 64 KiB, and the layout
    // that stands in for one that cannot be has one byte.
    unsafe { System.alloc_zeroed(layout(size)) }
}

pub(super) unsafe fn unmap(block: *mut u8, size: usize) {
    // SAFETY: the caller promises that `map` made the block with this size and that nobody uses it. `map`
    // asked the same allocator for it, with the layout that `layout` gives for the same size.
    unsafe { System.dealloc(block, layout(size)) };
}

/// Without a clock that never allocates, blocks are only given back beyond the bound.
pub(super) fn milliseconds() -> u64 {
    0
}
