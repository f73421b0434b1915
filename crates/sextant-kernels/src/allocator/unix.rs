//! Maps blocks of memory by `mmap`.

use super::HUGE;

/// Maps new pages, which are zero, with room for `size` bytes. They are aligned to huge pages if the size is at
/// least that of a huge page. Returns null when the system has no memory.
pub(super) fn map(size: usize) -> *mut u8 {
    let huge = size >= HUGE;
    let length = reserved(size);
    let slack = if huge { HUGE } else { 0 };
    // SAFETY: `mmap` without an address makes a new private mapping of `length + slack` bytes, which nothing
    // else uses. For a huge block, `before` is less than `HUGE`, which is the slack, so the `length` bytes from
    // the aligned start on lie in the mapping, and so do the parts before and after them, which are unmapped.
    // All three parts begin and end at page boundaries, because the mapping does and because `length` and
    // `HUGE` are multiples of a page. `madvise` gives advice only, and only about this mapping.
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

/// The number of bytes that are mapped for a size: whole pages, or whole huge pages.
fn reserved(size: usize) -> usize {
    size.next_multiple_of(if size >= HUGE { HUGE } else { 4096 })
}

/// # Safety
/// The block came from [`map`] with this size and is not used any more.
pub(super) unsafe fn unmap(block: *mut u8, size: usize) {
    // SAFETY: the caller promises that `map` returned the block for this size, so `reserved(size)` bytes from
    // its start are mapped and belong to this block alone. It also promises that the block is not used any
    // more, so no reference to it is left.
    unsafe { libc::munmap(block.cast(), reserved(size)) };
}

/// The time in milliseconds, above zero, of a clock that never goes backwards.
pub(super) fn milliseconds() -> u64 {
    #[cfg(target_os = "linux")]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer leads to a variable of the type that the call writes, and nothing else accesses it
    // meanwhile.
    unsafe { libc::clock_gettime(CLOCK, &raw mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000 + 1
}
