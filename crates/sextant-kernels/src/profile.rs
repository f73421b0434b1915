//! How much of the time is spent in matrix products, in packing their factors and in attention's products:
//! counted with the feature `profile`, for benchmarks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What time goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Products of linear layers.
    Products,
    /// Copying and packing their factors, which is a part of every library's product.
    Packing,
    /// Products within attention.
    Attention,
}

static NANOSECONDS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
static OPERATIONS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// What matrix products took since the last time: seconds, summed over threads.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// In products of linear layers.
    pub product_seconds: f64,
    /// Multiplications and additions of those.
    pub operations: f64,
    /// In copying and packing their factors.
    pub packing_seconds: f64,
    /// In products within attention.
    pub attention_seconds: f64,
}

/// Returns what was counted since the last call, and starts again.
pub fn take() -> Found {
    let [product_seconds, packing_seconds, attention_seconds] =
        [Part::Products, Part::Packing, Part::Attention]
            .map(|part| NANOSECONDS[part as usize].swap(0, Ordering::Relaxed) as f64 * 1e-9);
    let operations = OPERATIONS[Part::Products as usize].swap(0, Ordering::Relaxed) as f64;
    Found { product_seconds, operations, packing_seconds, attention_seconds }
}

/// Counts the time until it is dropped.
pub(crate) struct Span {
    start: Instant,
    part: Part,
    operations: usize,
}

impl Span {
    pub(crate) fn new(part: Part, operations: usize) -> Self {
        Self { start: Instant::now(), part, operations }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let nanoseconds = self.start.elapsed().as_nanos() as u64;
        NANOSECONDS[self.part as usize].fetch_add(nanoseconds, Ordering::Relaxed);
        OPERATIONS[self.part as usize].fetch_add(self.operations as u64, Ordering::Relaxed);
    }
}
