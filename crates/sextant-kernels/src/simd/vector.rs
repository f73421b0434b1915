use half::bf16;

use super::Kernel;
use crate::dropout::RowKey;

/// A vector of 32-bit lanes.
///
/// `V` holds `f32` lanes; the dot products also read it as lanes of packed small numbers, since
/// loads, stores and copies do not care.
///
/// # Safety of all methods
/// The machine supports the instruction set, and pointers are valid for the lanes read or written.
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
    unsafe fn call<K: Kernel>(kernel: K) -> K::Output;

    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    /// Loads the first `n < LANES` lanes; the others are zero.
    unsafe fn load_first(p: *const f32, n: usize) -> Self::V;
    /// Stores the first `n < LANES` lanes.
    unsafe fn store_first(p: *mut f32, n: usize, v: Self::V);

    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    /// `a * b + c`
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn abs(a: Self::V) -> Self::V;
    /// To the nearest whole number.
    unsafe fn round(a: Self::V) -> Self::V;
    /// `a * 2^n` for whole `n` in `-126..=127`.
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V;
    /// `if a < b { x } else { y }` in each lane.
    unsafe fn select_less(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// The sum of all lanes, in an order that depends on the level only.
    unsafe fn sum(a: Self::V) -> f32;
    /// The greatest lane.
    unsafe fn greatest(a: Self::V) -> f32;

    /// 0 or `scale` for `LANES` columns from `column` on: see [`crate::Dropout`].
    unsafe fn dropout(key: RowKey, column: u32, threshold: u32, scale: f32) -> Self::V;

    /// The nearest bf16 numbers, ties to even.
    unsafe fn round_bf16(x: Self::V) -> Self::V;
    /// Loads the first `n <= LANES` lanes from bf16 numbers; the others are zero.
    unsafe fn load_bf16(p: *const bf16, n: usize) -> Self::V;
    /// Stores the first `n <= LANES` lanes as the nearest bf16 numbers.
    unsafe fn store_bf16(p: *mut bf16, n: usize, v: Self::V);
    /// `acc + a.0 * b.0 + a.1 * b.1` where each lane of `a` and `b` is a pair of bf16 numbers, the
    /// lower half first. Like the two functions after it, not for levels without [`Self::BF16`].
    #[inline(always)]
    unsafe fn dot_bf16(_acc: Self::V, _a: Self::V, _b: Self::V) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }
    /// Lanes of pairs of bf16 numbers, `low` in the lower half, rounded to nearest even.
    #[inline(always)]
    unsafe fn pair_bf16(_low: Self::V, _high: Self::V) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }
    /// Lanes of pairs of bf16 numbers from `2 * LANES` numbers that follow each other in memory.
    #[inline(always)]
    unsafe fn pack_bf16(_from: *const f32) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }

    /// `acc + Σ a.i * b.i` over the four bytes of each lane, those of `a` unsigned, those of `b`
    /// signed; `acc` and the result are lanes of `i32`. Exact while sums fit.
    unsafe fn dot_bytes(acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Lanes of `i32` as `f32`.
    unsafe fn from_i32(a: Self::V) -> Self::V;

    /// Stores the first `n` lanes, numbers in `0..=255`, as bytes, rounded to the nearest.
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V, n: usize) {
        let mut lanes = [0.0f32; 16];
        // SAFETY: the array holds a vector of any level; the caller promises n bytes.
        unsafe {
            Self::store(lanes.as_mut_ptr(), Self::round(v));
            for (i, x) in lanes.into_iter().enumerate().take(n.min(Self::LANES)) {
                *to.add(i) = x as u8;
            }
        }
    }

    /// Transposes a square block: `to[c][r] = from[r][c]` for `r`, `c` below `LANES`.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller passes pointers to whole blocks.
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
    unsafe fn load_upto(p: *const f32, left: usize) -> Self::V {
        // SAFETY: passed on to the caller.
        unsafe { if left >= Self::LANES { Self::load(p) } else { Self::load_first(p, left) } }
    }

    /// [`Self::store`] or [`Self::store_first`], by how many lanes are `left`.
    #[inline(always)]
    unsafe fn store_upto(p: *mut f32, left: usize, v: Self::V) {
        // SAFETY: passed on to the caller.
        unsafe {
            if left >= Self::LANES {
                Self::store(p, v);
            } else {
                Self::store_first(p, left, v);
            }
        }
    }
}
