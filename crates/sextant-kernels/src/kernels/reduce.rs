//! Sums over all elements of a buffer.

use super::parallel;
use crate::simd::{Kernel, Level, Simd, launch};

/// The number of elements of a chunk.
const CHUNK: usize = 1 << 15;
/// The number of vectors whose products are summed in `f32` before they are added to the sum in `f64`.
const RUN: usize = 64;

/// The dot product of two slices of one length: summed in `f32` within short runs, and in `f64` over all runs.
pub(crate) fn dot(level: Level, x: &[f32], y: &[f32]) -> f64 {
    assert_eq!(x.len(), y.len(), "dot: lengths differ");
    let chunks = x.len().div_ceil(CHUNK);
    let parts = parallel::map(chunks, x.len(), |chunk| {
        let start = chunk * CHUNK;
        let part = start..(start + CHUNK).min(x.len());
        // SAFETY: `launch` asks that the kernel's pointers are valid. `Products` holds only slices, which have the
        // same length, because the lengths of `x` and `y` were compared above.
        unsafe { launch(level, Products(&x[part.clone()], &y[part])) }
    });
    parts.into_iter().sum()
}

/// The sum of all squares.
pub(crate) fn sum_of_squares(level: Level, x: &[f32]) -> f64 {
    dot(level, x, x)
}

/// Two slices of one length.
struct Products<'a>(&'a [f32], &'a [f32]);

impl Kernel for Products<'_> {
    type Output = f64;

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) -> f64 {
        let mut total = 0.0;
        let runs = self.0.chunks(RUN * S::LANES).zip(self.1.chunks(RUN * S::LANES));
        for (x, y) in runs {
            // SAFETY: both chunks have the same length, because the slices have. Each vector starts inside both
            // chunks, and no lane past their end is read.
            unsafe {
                let mut sum = simd.splat(0.0);
                for i in (0..x.len()).step_by(S::LANES) {
                    let left = x.len() - i;
                    let a = simd.load_upto(x.as_ptr().add(i), left);
                    let b = simd.load_upto(y.as_ptr().add(i), left);
                    sum = simd.fma(a, b, sum);
                }
                total += f64::from(simd.sum(sum));
            }
        }
        total
    }
}
