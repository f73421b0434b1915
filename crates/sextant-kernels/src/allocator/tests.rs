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
    // SAFETY: the layout's size is above zero; the block is not null, is written within its size, and is freed
    // once, with its layout.
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
        // SAFETY: the layout's size is above zero; the block is initialized with zeros, is read within its
        // size, and is freed once, with its layout, after the last use of the slice.
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
    // SAFETY: the layout's size is above zero, and each block is freed once, with its layout, and never
    // accessed.
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
    let allocator = CachingAllocator { sweep_every: 500, ..CachingAllocator::new(64 << 20) };
    cycle(&allocator, 8 << 20);
    cycle(&allocator, 1 << 20);
    for _ in 0..2 {
        std::thread::sleep(std::time::Duration::from_millis(550));
        cycle(&allocator, 1 << 20);
    }
    assert_eq!(allocator.mapped(), 1 << 20);
    allocator.release();
}

#[test]
fn growing_keeps_the_content() {
    let allocator = CachingAllocator::new(64 << 20);
    // SAFETY: all sizes are above zero. The first block is written within its size, and each later one keeps
    // the initialized bytes that both sizes hold, of which the smaller number is read. Each block is passed on
    // with the layout that it was allocated with, and the last one is freed once.
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
