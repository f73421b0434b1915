//! The `sextant` command.

use sextant_kernels::CachingAllocator;
use std::process::ExitCode;

/// Keeps freed blocks: training allocates and frees the same large blocks at every step, and page faults
/// are expensive.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(4 << 30);

fn main() -> ExitCode {
    ExitCode::from(sextant::run(std::env::args_os()))
}
