//! Gets blocks of memory from the standard library's system allocator, where there is no `mmap`.

use std::alloc::{GlobalAlloc, Layout, System};

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 4096).unwrap_or(Layout::new::<u8>())
}

pub(super) fn map(size: usize) -> *mut u8 {
    // SAFETY: `alloc_zeroed` requires a layout with a size above zero. Size classes have at least 64 KiB, and
    // the layout that `layout` returns for a size that is too large has one byte.
    unsafe { System.alloc_zeroed(layout(size)) }
}

/// # Safety
/// The block came from [`map`] with this size and is not used any more.
pub(super) unsafe fn unmap(block: *mut u8, size: usize) {
    // SAFETY: the caller promises that `map` returned the block for this size and that it is not used any more.
    // `map` got it from the same allocator, with the layout that `layout` returns for the same size.
    unsafe { System.dealloc(block, layout(size)) };
}

/// Always 0, because there is no clock that is known never to allocate. So there are no sweeps, and blocks are
/// only given back to the system when the limit is exceeded or by `release`.
pub(super) fn milliseconds() -> u64 {
    0
}
