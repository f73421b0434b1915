use half::bf16;

use super::Kernel;
use crate::dropout::RowKey;

/// Instructions on vectors of 32-bit lanes.
///
/// A value of such a type is a proof that the machine has the instructions: only detection makes one (see
/// [`Level`](super::Level)). So what touches registers alone is safe to call, and costs nothing to pass on,
/// for the types are empty.
///
/// `V` holds `f32` lanes; the dot products also read it as lanes of packed small numbers, since
/// loads, stores and copies do not care.
///
/// # Safety of the methods that take pointers
/// The pointers are valid for the lanes that are read or written.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    type V: Copy;

    /// Lanes of a vector.
    const LANES: usize;
    /// Vector registers, for choosing the tiles of matrix products.
    const REGISTERS: usize;
    /// Vectors in a panel of a packed matrix.
    const PANEL: usize;

    /// Whether matrix products in bf16 multiply pairs of bf16 numbers. Elsewhere numbers are rounded
    /// to bf16 and multiplied as `f32`, which gives the same products.
    const BF16: bool;

    /// Runs a kernel in an entry point compiled with this level's features.
    ///
    /// # Safety
    /// What [`Kernel::run`] asks for.
    unsafe fn call<K: Kernel>(self, kernel: K) -> K::Output;

    fn splat(self, x: f32) -> Self::V;
    unsafe fn load(self, p: *const f32) -> Self::V;
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// Loads the first `n < LANES` lanes; the others are zero.
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V;
    /// Stores the first `n < LANES` lanes.
    unsafe fn store_first(self, p: *mut f32, n: usize, v: Self::V);

    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a > b { a } else { b }`: of two numbers the greater, and `b` where one is NaN. To keep a NaN,
    /// pass what may be one as `b`.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a < b { a } else { b }`: of two numbers the smaller, and `b` where one is NaN. To keep a NaN,
    /// pass what may be one as `b`.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `max(a, |b|)` for `a` that is not negative, and NaN where one is NaN: by their bits, of which those
    /// of NaN are the greatest.
    fn max_magnitude(self, a: Self::V, b: Self::V) -> Self::V;
    fn sqrt(self, a: Self::V) -> Self::V;
    /// `a * b + c`
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`
    fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn abs(self, a: Self::V) -> Self::V;
    /// To the nearest whole number.
    fn round(self, a: Self::V) -> Self::V;
    /// `a * 2^n` for whole `n` in `-126..=127`.
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;
    /// `if a < b { x } else { y }` in each lane: `y` where `a` or `b` is NaN.
    fn select_less(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// The sum of all lanes, in an order that depends on the level only.
    fn sum(self, a: Self::V) -> f32;
    /// The greatest lane, of numbers; which lane, is not said where one is NaN.
    fn greatest(self, a: Self::V) -> f32;
    /// The greatest lane of what [`Self::max_magnitude`] gives: NaN where a lane is.
    fn greatest_magnitude(self, a: Self::V) -> f32;

    /// 0 or `scale` for `LANES` columns from `column` on: see [`crate::Dropout`].
    fn dropout(self, key: RowKey, column: u32, threshold: u32, scale: f32) -> Self::V;

    /// The nearest bf16 numbers, ties to even.
    fn round_bf16(self, x: Self::V) -> Self::V;
    /// Loads the first `n <= LANES` lanes from bf16 numbers; the others are zero.
    unsafe fn load_bf16(self, p: *const bf16, n: usize) -> Self::V;
    /// Stores the first `n <= LANES` lanes as the nearest bf16 numbers.
    unsafe fn store_bf16(self, p: *mut bf16, n: usize, v: Self::V);
    /// `acc + a.0 * b.0 + a.1 * b.1` where each lane of `a` and `b` is a pair of bf16 numbers, the
    /// lower half first. Like the two functions after it, not for levels without [`Self::BF16`].
    #[inline(always)]
    fn dot_bf16(self, _acc: Self::V, _a: Self::V, _b: Self::V) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }
    /// Lanes of pairs of bf16 numbers, `low` in the lower half, rounded to nearest even.
    #[inline(always)]
    fn pair_bf16(self, _low: Self::V, _high: Self::V) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }
    /// Lanes of pairs of bf16 numbers from `2 * LANES` numbers that follow each other in memory.
    #[inline(always)]
    unsafe fn pack_bf16(self, _from: *const f32) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }

    /// `acc + Σ a.i * b.i` over the four bytes of each lane, those of `a` unsigned, those of `b`
    /// signed; `acc` and the result are lanes of `i32`. Exact while sums fit.
    fn dot_bytes(self, acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Lanes of `i32` as `f32`.
    fn convert_i32(self, a: Self::V) -> Self::V;

    /// Stores the first `n` lanes, numbers in `0..=255`, as bytes, rounded to the nearest; any bytes where
    /// lanes are not finite.
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, v: Self::V, n: usize) {
        let mut lanes = [0.0f32; 16];
        // SAFETY: the array holds a vector of any level, and the caller promises that `n` bytes can be
        // written.
        unsafe {
            self.store(lanes.as_mut_ptr(), self.round(v));
            for (i, x) in lanes.into_iter().enumerate().take(n.min(Self::LANES)) {
                *to.add(i) = x as u8;
            }
        }
    }

    /// Transposes a square block: `to[c][r] = from[r][c]` for `r`, `c` below `LANES`.
    #[inline(always)]
    unsafe fn transpose(
        self,
        from: *const f32,
        from_stride: usize,
        to: *mut f32,
        to_stride: usize,
    ) {
        // SAFETY: the caller promises two whole blocks of `LANES` rows, as far apart as the strides say.
        unsafe {
            for c in 0..Self::LANES {
                for r in 0..Self::LANES {
                    *to.add(c * to_stride + r) = *from.add(r * from_stride + c);
                }
            }
        }
    }

    /// [`Self::load`] or [`Self::load_first`], by how many lanes are `left`.
    #[inline(always)]
    unsafe fn load_upto(self, p: *const f32, left: usize) -> Self::V {
        // SAFETY: the caller promises that the lanes which are left, up to a vector, can be read.
        unsafe { if left >= Self::LANES { self.load(p) } else { self.load_first(p, left) } }
    }

    /// [`Self::store`] or [`Self::store_first`], by how many lanes are `left`.
    #[inline(always)]
    unsafe fn store_upto(self, p: *mut f32, left: usize, v: Self::V) {
        // SAFETY: the caller promises that the lanes which are left, up to a vector, can be written.
        unsafe {
            if left >= Self::LANES {
                self.store(p, v);
            } else {
                self.store_first(p, left, v);
            }
        }
    }
}
