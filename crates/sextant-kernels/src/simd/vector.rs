use half::bf16;

use super::{Kernel, TileBlock, TileWords, Tiles};
use crate::dropout::RowKey;

/// Instructions on vectors of 32-bit lanes.
///
/// A value of a type with this trait is a proof that the machine has the instructions, because only detection
/// creates one (see [`Level`](super::Level)). So the methods that only touch registers are safe to call. The
/// types are empty, so passing a value on costs nothing.
///
/// `V` holds `f32` lanes. The dot products also treat each lane as several packed small numbers; loads,
/// stores and copies do not depend on what the bits of a lane mean.
///
/// # Safety of the methods that take pointers
/// The pointers are valid for the lanes that are read or written. They need no alignment beyond that of a
/// number.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    type V: Copy;

    /// The number of lanes of a vector.
    const LANES: usize;
    /// The number of vector registers, which decides the tiles of matrix products.
    const REGISTERS: usize;
    /// The most vectors that a panel of a packed matrix is wide.
    const PANEL: usize;
    /// The most words along the depth that one pass over a block of a matrix product multiplies. So much of a panel
    /// stays in the first-level cache while the rows are multiplied by it, and so much of the block's rows and panels
    /// in the second-level cache.
    const DEPTH: usize;
    /// Whether a matrix product asks for the next panel while it multiplies by one. That is worth it for narrow panels of
    /// large matrices; with wide panels it was not measured.
    const PREFETCH: bool = false;
    /// The rows of a group of a left factor (8, 6 or 4): the height of the largest tile of [`Self::PANEL`] vectors
    /// whose sums fit into the registers. Not more than [`Self::LANES`].
    const GROUP: usize;

    /// The greatest magnitude of a signed byte with which [`Self::dot_bytes`] is exact: 127, or 64 where sums of two
    /// products must fit into 16 bits.
    const WEIGHT_BYTE: f32 = 127.0;

    /// Whether products of pairs of bf16 numbers and of bytes run on tile registers, with
    /// [`Self::multiply_tiles`].
    const TILES: bool = false;

    /// Whether matrix products in bf16 multiply pairs of bf16 numbers. On other levels, numbers are rounded to
    /// bf16 and multiplied as `f32`, which gives the same products.
    const BF16: bool;

    /// Runs a kernel in an entry point compiled with this level's features.
    ///
    /// # Safety
    /// The requirements of [`Kernel::run`] are met.
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
    /// `if a > b { a } else { b }`: the greater of two numbers, and `b` if either is NaN. To keep a NaN, pass
    /// the value that may be NaN as `b`.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a < b { a } else { b }`: the smaller of two numbers, and `b` if either is NaN. To keep a NaN, pass
    /// the value that may be NaN as `b`.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `max(a, |b|)` for an `a` that is not negative, and NaN if either is NaN. The bits are compared, because
    /// the bits of a NaN are greater than those of any number.
    fn max_magnitude(self, a: Self::V, b: Self::V) -> Self::V;
    fn sqrt(self, a: Self::V) -> Self::V;
    /// `a * b + c`
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`
    fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn abs(self, a: Self::V) -> Self::V;
    /// Rounds to the nearest whole number.
    fn round(self, a: Self::V) -> Self::V;
    /// `a * 2^n` for whole `n` in `-126..=127`.
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;
    /// `if a < b { x } else { y }` in each lane: `y` where `a` or `b` is NaN.
    fn select_less(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// The sum of all lanes, in an order that depends on the level only.
    fn sum(self, a: Self::V) -> f32;
    /// The greatest lane. If a lane is NaN, the result may be any lane.
    fn greatest(self, a: Self::V) -> f32;
    /// The greatest lane of a result of [`Self::max_magnitude`]: NaN if a lane is NaN.
    fn greatest_magnitude(self, a: Self::V) -> f32;

    /// The factors of dropout, 0 or `scale`, for `LANES` columns from `column` on: see [`crate::Dropout`].
    fn dropout(self, key: RowKey, column: u32, threshold: u32, scale: f32) -> Self::V;

    /// Rounds to the nearest bf16 numbers, ties to even.
    fn round_bf16(self, x: Self::V) -> Self::V;
    /// Loads the first `n <= LANES` lanes from bf16 numbers; the others are zero.
    unsafe fn load_bf16(self, p: *const bf16, n: usize) -> Self::V;
    /// Stores the first `n <= LANES` lanes as the nearest bf16 numbers.
    unsafe fn store_bf16(self, p: *mut bf16, n: usize, v: Self::V);
    /// `acc + a.0 * b.0 + a.1 * b.1`, where each lane of `a` and `b` is a pair of bf16 numbers and `.0` is the
    /// lower half. This method, [`Self::pair_bf16`] and [`Self::pack_bf16`] may panic on levels without
    /// [`Self::BF16`].
    #[inline(always)]
    fn dot_bf16(self, _acc: Self::V, _a: Self::V, _b: Self::V) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }
    /// Rounds to bf16 numbers, ties to even, and pairs them: each lane has the number of `low` in its lower
    /// half and that of `high` in its upper half.
    #[inline(always)]
    fn pair_bf16(self, _low: Self::V, _high: Self::V) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }
    /// Loads `2 * LANES` consecutive numbers and returns them as lanes of pairs of bf16 numbers.
    #[inline(always)]
    unsafe fn pack_bf16(self, _from: *const f32) -> Self::V {
        unreachable!("this level does not pair bf16 numbers")
    }

    /// `acc + Σ a.i * b.i` over the four bytes of each lane, where the bytes of `a` are unsigned and those of
    /// `b` signed and not greater than [`Self::WEIGHT_BYTE`]; `acc` and the result are lanes of `i32`. The result is
    /// exact while sums fit into an `i32`.
    fn dot_bytes(self, acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Computes a block of a product on tile registers. Sums of bytes are exact, as those of [`Self::dot_bytes`].
    /// May panic on levels without [`Self::TILES`].
    #[inline(always)]
    unsafe fn multiply_tiles(self, _words: TileWords, _tiles: &mut Tiles, _block: &TileBlock) {
        unreachable!("this level has no tile registers")
    }
    /// Lanes of `i32` as `f32`.
    fn convert_i32(self, a: Self::V) -> Self::V;

    /// Stores the first `n` lanes, which are numbers in `0..=255`, as bytes, rounded to the nearest. A lane
    /// that is not finite may give any byte.
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, v: Self::V, n: usize) {
        let mut lanes = [0.0f32; 16];
        // SAFETY: the array has 16 numbers, which is a vector of the widest level, so a vector can be stored in
        // it. The caller promises that `n` bytes can be written, and no more are.
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
        // SAFETY: the caller promises that `from` can be read and `to` written for `LANES` rows of `LANES`
        // numbers, which are `from_stride` and `to_stride` apart.
        unsafe {
            for c in 0..Self::LANES {
                for r in 0..Self::LANES {
                    *to.add(c * to_stride + r) = *from.add(r * from_stride + c);
                }
            }
        }
    }

    /// Transposes eight words of [`Self::GROUP`] rows: `to[k * GROUP + r] = from[r * row + k]`.
    #[inline(always)]
    unsafe fn turn_group(self, from: *const f32, row: usize, to: *mut f32) {
        // SAFETY: the caller promises that eight numbers of `GROUP` rows, `row` apart, can be read at `from`, and
        // as many written at `to`.
        unsafe {
            for k in 0..8 {
                for r in 0..Self::GROUP {
                    *to.add(k * Self::GROUP + r) = *from.add(r * row + k);
                }
            }
        }
    }

    /// Stores the first [`Self::GROUP`] lanes.
    #[inline(always)]
    unsafe fn store_group(self, to: *mut f32, v: Self::V) {
        // SAFETY: the caller promises that `GROUP` numbers can be written.
        unsafe { self.store_upto(to, Self::GROUP, v) }
    }

    /// Loads a whole vector if at least `LANES` numbers are `left`, else only those, with zeros after them.
    #[inline(always)]
    unsafe fn load_upto(self, p: *const f32, left: usize) -> Self::V {
        // SAFETY: the caller promises that `left` numbers, up to a whole vector, can be read, and no more are.
        unsafe { if left >= Self::LANES { self.load(p) } else { self.load_first(p, left) } }
    }

    /// Stores a whole vector if at least `LANES` numbers are `left`, else only the first `left` lanes.
    #[inline(always)]
    unsafe fn store_upto(self, p: *mut f32, left: usize, v: Self::V) {
        // SAFETY: the caller promises that `left` numbers, up to a whole vector, can be written, and no more
        // are.
        unsafe {
            if left >= Self::LANES {
                self.store(p, v);
            } else {
                self.store_first(p, left, v);
            }
        }
    }
}
