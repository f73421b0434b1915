//! Measures how much time is spent in matrix products, in packing their factors and in the products of
//! attention, for benchmarks. Nothing is measured without the feature `profile`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The parts of a computation whose time is measured separately.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Products of linear layers.
    Products,
    /// Copying and packing the factors of these products, which is part of a matrix product in every library.
    Packing,
    /// Products within attention.
    Attention,
}

static NANOSECONDS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
static OPERATIONS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// What was counted since the last call of [`take`]. Seconds are summed over threads.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Time in products of linear layers.
    pub product_seconds: f64,
    /// The number of multiplications and additions of these products.
    pub operations: f64,
    /// Time in copying and packing the factors of these products.
    pub packing_seconds: f64,
    /// Time in products within attention.
    pub attention_seconds: f64,
}

/// Returns what was counted since the last call, and resets the counts.
pub fn take() -> Found {
    let [product_seconds, packing_seconds, attention_seconds] =
        [Part::Products, Part::Packing, Part::Attention]
            .map(|part| NANOSECONDS[part as usize].swap(0, Ordering::Relaxed) as f64 * 1e-9);
    let operations = OPERATIONS[Part::Products as usize].swap(0, Ordering::Relaxed) as f64;
    Found { product_seconds, operations, packing_seconds, attention_seconds }
}

/// Measures the time from its creation until it is dropped.
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
