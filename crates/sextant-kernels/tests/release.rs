//! Free blocks are given back when a program asks for it. This is a program of its own, because every allocator
//! of a process follows.

use sextant_kernels::{CachingAllocator, release_free_blocks};

#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(1 << 30);

#[test]
fn free_blocks_go_back_when_asked_for_and_are_kept_again_after_that() {
    const SIZE: usize = 1 << 22;
    drop([1, 2, 3].map(|x| vec![x; SIZE]));
    assert!(ALLOCATOR.cached() >= 3 * SIZE);
    release_free_blocks();
    drop(vec![1; SIZE]);
    assert!(ALLOCATOR.cached() < SIZE, "{}", ALLOCATOR.cached());
    drop([1, 2].map(|x| vec![x; SIZE]));
    assert!(ALLOCATOR.cached() >= 2 * SIZE);
}
