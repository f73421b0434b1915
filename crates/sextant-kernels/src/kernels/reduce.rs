//! Sums over all elements of a buffer.

use super::parallel;
use crate::simd::{Kernel, Level, Simd, launch};

/// Elements of a chunk.
const CHUNK: usize = 1 << 15;
/// Vectors whose squares are summed in `f32` before they join the sum in `f64`.
const RUN: usize = 64;

/// The sum of all squares: `f32` within short runs, `f64` beyond.
pub(crate) fn sum_of_squares(level: Level, x: &[f32]) -> f64 {
    let chunks = x.len().div_ceil(CHUNK);
    let parts = parallel::map(chunks, x.len(), |chunk| {
        let start = chunk * CHUNK;
        let part = &x[start..(start + CHUNK).min(x.len())];
        // SAFETY: the level is supported; the kernel reads a slice.
        unsafe { launch(level, Squares(part)) }
    });
    parts.into_iter().sum()
}

struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f64 {
        let mut total = 0.0;
        for run in self.0.chunks(RUN * S::LANES) {
            // SAFETY: vectors inside the slice; missing lanes load as zero.
            unsafe {
                let mut sum = S::splat(0.0);
                for i in (0..run.len()).step_by(S::LANES) {
                    let x = S::load_upto(run.as_ptr().add(i), run.len() - i);
                    sum = S::fma(x, x, sum);
                }
                total += f64::from(S::sum(sum));
            }
        }
        total
    }
}
