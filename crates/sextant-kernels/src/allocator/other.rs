//! Gets blocks of memory from the standard library's system allocator, where there is no `mmap`.

use std::alloc::{GlobalAlloc, Layout, System};

/// The layout of a block; `None` if no address space has room for one of this size.
fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, 4096).ok()
}

/// A block of zeros, or null if there is no memory for it.
pub(super) fn map(size: usize) -> *mut u8 {
    let Some(layout) = layout(size).filter(|layout| layout.size() > 0) else {
        return std::ptr::null_mut();
    };
    // SAFETY: `alloc_zeroed` requires a layout with a size above zero, which was checked.
    unsafe { System.alloc_zeroed(layout) }
}

/// # Safety
/// The block came from [`map`] with this size and is not used any more.
pub(super) unsafe fn unmap(block: *mut u8, size: usize) {
    // For a size without a layout, `map` has returned no block.
    let Some(layout) = layout(size) else { return };
    // SAFETY: the caller promises that `map` returned the block for this size and that it is not used any more.
    // `map` got it from the same allocator, with the layout that `layout` returns for the same size.
    unsafe { System.dealloc(block, layout) };
}

/// Always 0, because there is no clock that is known never to allocate. So there are no sweeps, and blocks are
/// only given back to the system when the limit is exceeded or by `release`.
pub(super) fn milliseconds() -> u64 {
    0
}
