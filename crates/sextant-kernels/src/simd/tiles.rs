//! Products on tile registers: what a level with [`Simd::TILES`](super::Simd::TILES) multiplies at once.

use std::marker::PhantomData;

/// Rows of a tile register, and its 32-bit words in a row.
pub(crate) const SIDE: usize = 16;

/// What the words of a tile hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TileWords {
    /// Pairs of bf16 numbers, summed in `f32`.
    Pairs,
    /// Four bytes, unsigned in the left factor and signed in the right one, summed in `i32`.
    Bytes,
}

/// A product of up to two tiles by up to two tiles: `c = start + a · b`.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(all(target_arch = "x86_64", target_os = "linux", not(feature = "portable"))),
    expect(dead_code, reason = "read by levels with tile registers")
)]
pub(crate) struct TileBlock {
    /// Rows of `a` and `c`, at most twice [`SIDE`].
    pub(crate) rows: usize,
    /// Columns of `c`, at most twice [`SIDE`]. Rows of `b` can be read up to a multiple of [`SIDE`].
    pub(crate) columns: usize,
    /// Words along the depth, a multiple of [`SIDE`].
    pub(crate) depth: usize,
    pub(crate) a: *const f32,
    /// The distance from one row of `a` to the next, in words, like the other distances.
    pub(crate) a_row: usize,
    pub(crate) b: *const f32,
    pub(crate) b_row: usize,
    /// What the sums start from, and the distance of its rows: 0 for the same row each time.
    pub(crate) start: *const f32,
    pub(crate) start_row: usize,
    pub(crate) c: *mut f32,
    pub(crate) c_row: usize,
}

/// The tile registers of this thread, while a kernel uses them.
///
/// The registers have a shape, which it takes about 50 ns to set, as long as multiplying two tiles by two ten times.
/// So a kernel keeps one value for all of its products, and the shape is set when it changes. Dropping the value
/// empties the registers: threads with empty ones are cheaper to suspend. A kernel has one value at a time, because
/// a second one would not know the shape that the first one has set.
#[derive(Debug, Default)]
pub(crate) struct Tiles {
    /// The rows of the first and second tile of the left factor, and the columns of those of the right one.
    #[cfg_attr(
        not(all(target_arch = "x86_64", target_os = "linux", not(feature = "portable"))),
        expect(dead_code, reason = "read by levels with tile registers")
    )]
    pub(super) shape: [u8; 4],
    /// The registers are those of a thread, so that this value must not leave it.
    thread: PhantomData<*const ()>,
}

impl Drop for Tiles {
    #[inline(always)]
    fn drop(&mut self) {
        #[cfg(all(target_arch = "x86_64", target_os = "linux", not(feature = "portable")))]
        if self.shape != [0; 4] {
            // SAFETY: only a level that has tile registers sets a shape, and the kernel has finished with them.
            unsafe {
                std::arch::asm!("tilerelease", options(nostack, nomem, preserves_flags));
            }
        }
    }
}
