//! Blocks by `mmap`.

use super::HUGE;

/// Fresh zeroed pages, aligned to huge ones where that large; null when there are none.
pub(super) fn map(size: usize) -> *mut u8 {
    let huge = size >= HUGE;
    let length = reserved(size);
    let slack = if huge { HUGE } else { 0 };
    // SAFETY: `mmap` without an address makes a new private mapping of `length + slack` bytes, which no one
    // else knows. For a huge block, `before` is less than `HUGE`, which is the slack, so the `length` bytes
    // from the aligned start on lie in the mapping, and so do the parts before and after them, which are
    // unmapped. All three begin and end at whole pages, since the mapping does and `length` and `HUGE` are
    // multiples of a page. `madvise` only advises, about memory that is ours.
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
    // SAFETY: the caller promises that `map` made the block with this size, so `reserved(size)` bytes from its
    // start are mapped and belong to it alone, and that nobody uses it, so no reference into it is left.
    unsafe { libc::munmap(block.cast(), reserved(size)) };
}

/// A clock that never goes back.
pub(super) fn milliseconds() -> u64 {
    #[cfg(target_os = "linux")]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer leads to a live structure of the type that the call writes, and nothing else reads
    // or writes it meanwhile.
    unsafe { libc::clock_gettime(CLOCK, &raw mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000 + 1
}
