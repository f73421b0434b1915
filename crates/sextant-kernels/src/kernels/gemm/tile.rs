use std::marker::PhantomData;

use super::super::floats::FloatPtr;
use crate::simd::{Kernel, SIDE, Simd, TileBlock, TileWords, Tiles};

/// The most rows that are multiplied by one panel before the next.
pub(crate) const ROWS: usize = 192;

/// The words of a line of the cache.
const LINE: usize = 16;
/// The most words of the next panel that one tile asks for. Where rows are so few that a panel has more for each tile, it
/// is not worth waiting until they are asked for.
const MOST_AHEAD: usize = 32 * LINE;

/// How two 32-bit words are multiplied.
pub(crate) trait Product: Copy + Send + Sync + 'static {
    /// Whether words are the `f32` numbers themselves.
    const PLAIN: bool;

    /// What the words hold for a level's tile registers ([`Simd::TILES`]), if they multiply such words.
    const TILES: Option<TileWords>;

    /// Numbers in a word.
    fn per_word<S: Simd>() -> usize;

    /// Whether products run on tile registers.
    #[inline(always)]
    fn tiled<S: Simd>() -> bool {
        S::TILES && Self::TILES.is_some()
    }

    /// Words along a depth. On tile registers they fill whole tiles, with zeros at the end.
    #[inline(always)]
    fn words<S: Simd>(depth: usize) -> usize {
        let words = depth.div_ceil(Self::per_word::<S>());
        if Self::tiled::<S>() { words.next_multiple_of(SIDE) } else { words }
    }

    /// A vector of words from a vector of numbers, for products whose words hold one number.
    #[inline(always)]
    fn single<S: Simd>(_: S, x: S::V) -> S::V {
        x
    }

    /// `acc + a · b` in each lane.
    fn dot<S: Simd>(simd: S, acc: S::V, a: S::V, b: S::V) -> S::V;
}

/// Words of one `f32`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct F32;

impl Product for F32 {
    const PLAIN: bool = true;
    const TILES: Option<TileWords> = None;
    #[inline(always)]
    fn per_word<S: Simd>() -> usize {
        1
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, acc: S::V, a: S::V, b: S::V) -> S::V {
        simd.fma(a, b, acc)
    }
}

/// Words of two bf16 numbers, summed in `f32`; on levels without bf16 products, words of one `f32`
/// that was rounded to bf16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bf16;

impl Product for Bf16 {
    const PLAIN: bool = false;
    const TILES: Option<TileWords> = Some(TileWords::Pairs);
    #[inline(always)]
    fn per_word<S: Simd>() -> usize {
        if S::BF16 { 2 } else { 1 }
    }
    #[inline(always)]
    fn single<S: Simd>(simd: S, x: S::V) -> S::V {
        simd.round_bf16(x)
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, acc: S::V, a: S::V, b: S::V) -> S::V {
        if S::BF16 { simd.dot_bf16(acc, a, b) } else { simd.fma(a, b, acc) }
    }
}

/// Words of four bytes, unsigned times signed, summed in `i32`.
#[derive(Clone, Copy)]
pub(crate) struct Bytes;

impl Product for Bytes {
    const PLAIN: bool = false;
    const TILES: Option<TileWords> = Some(TileWords::Bytes);
    #[inline(always)]
    fn per_word<S: Simd>() -> usize {
        4
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, acc: S::V, a: S::V, b: S::V) -> S::V {
        simd.dot_bytes(acc, a, b)
    }
}

/// How rows in groups lie in memory.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    /// The number of rows of a group.
    pub(crate) rows: usize,
    /// The distance from one group to the next, in words.
    pub(crate) step: usize,
}

/// The initial value of a strip's sums.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    Zero,
    /// The numbers that `C` already holds.
    Accumulate,
    /// The same row for all rows: a bias.
    Row(*const f32),
}

/// The product of some rows of words of `A` and one panel of `B`: `c = start + a · b`.
///
/// The word of `A` at row `i`, depth `k` is `a[i * a_row + k * a_step]`, or, where `A` is in groups of `g` rows,
/// `a[i / g * step + i % g + k * g]`; the panel has `b_step`
/// columns at each depth, a whole number of vectors up to a panel's ([`panel_width`](super::panel_width)), all
/// readable; `columns` of them are stored. On tile registers the depth is a multiple of [`SIDE`], and `A` is in rows:
/// `a_step` is 1.
#[derive(Clone, Copy)]
pub(crate) struct Strip<P> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    pub(crate) a: *const f32,
    pub(crate) a_row: usize,
    pub(crate) a_step: usize,
    /// The groups of `A`, if it has any, of [`Simd::GROUP`] rows. Then `a_row` is 1 and `a_step` is that number.
    pub(crate) a_group: Option<Group>,
    pub(crate) b: *const f32,
    pub(crate) b_step: usize,
    pub(crate) c: *mut f32,
    pub(crate) c_row: usize,
    pub(crate) start: Start,
    /// The panel that is multiplied next, of the same size. It may lead anywhere: it is only brought closer, where the
    /// level asks for that ([`Simd::PREFETCH`]).
    pub(crate) next: Option<*const f32>,
    pub(crate) product: PhantomData<P>,
}

impl<P: Product> Strip<P> {
    /// `tiles` are those of the kernel.
    ///
    /// # Safety
    /// `a`, `b` and `c` are valid for the sizes of the strip, and nothing else accesses this part of `c`.
    #[inline(always)]
    pub(crate) unsafe fn run<S: Simd>(self, simd: S, tiles: &mut Tiles) {
        if let Some(words) = P::TILES
            && S::TILES
        {
            // SAFETY: the caller promises what `run_tiles` requires.
            return unsafe { self.run_tiles(simd, words, tiles) };
        }
        let vectors = self.columns.div_ceil(S::LANES);
        debug_assert!(vectors > 0 && vectors <= S::PANEL);
        debug_assert!(self.b_step.is_multiple_of(S::LANES) && self.b_step >= vectors * S::LANES);
        let mut rest = self;
        // SAFETY: the caller promises pointers that are valid for all rows, and each call of `take` computes only
        // rows that are left and moves the pointers past them.
        unsafe {
            match vectors {
                3 if S::PANEL >= 3 => rest.take_groups::<S, 3>(simd),
                2 if S::PANEL >= 2 && self.a_group.is_some() => rest.take_groups::<S, 2>(simd),
                _ if self.a_group.is_some() => rest.take_groups::<S, 1>(simd),
                2 if S::PANEL >= 2 => {
                    rest.take::<S, 12, 2>(simd);
                    rest.take::<S, 6, 2>(simd);
                    rest.take::<S, 2, 2>(simd);
                    rest.take::<S, 1, 2>(simd);
                }
                _ => {
                    rest.take::<S, 12, 1>(simd);
                    rest.take::<S, 4, 1>(simd);
                    rest.take::<S, 1, 1>(simd);
                }
            }
        }
    }

    /// [`Strip::run`] on tile registers.
    ///
    /// # Safety
    /// As for [`Strip::run`].
    #[inline(always)]
    unsafe fn run_tiles<S: Simd>(self, simd: S, words: TileWords, tiles: &mut Tiles) {
        const ZEROS: [f32; 2 * SIDE] = [0.0; 2 * SIDE];
        debug_assert!(self.a_step == 1 && self.a_group.is_none());
        for first in (0..self.rows).step_by(2 * SIDE) {
            let c = self.c.wrapping_add(first * self.c_row);
            let (start, start_row) = match self.start {
                Start::Zero => (ZEROS.as_ptr(), 0),
                Start::Row(row) => (row, 0),
                Start::Accumulate => (c.cast_const(), self.c_row),
            };
            let block = TileBlock {
                rows: (self.rows - first).min(2 * SIDE),
                columns: self.columns,
                depth: self.depth,
                a: self.a.wrapping_add(first * self.a_row),
                a_row: self.a_row,
                b: self.b,
                b_row: self.b_step,
                start,
                start_row,
                c,
                c_row: self.c_row,
            };
            // SAFETY: the caller promises a valid strip, and the block is the part of it from row `first` on. A
            // starting row of zeros has as many numbers as a block has columns at most.
            unsafe { simd.multiply_tiles(words, tiles, &block) };
        }
    }

    /// [`Strip::run`] for any number of rows and any depth, where `A` is not in groups: in blocks whose factors and sums
    /// stay in the caches. The sums are formed in the same order.
    ///
    /// # Safety
    /// As for [`Strip::run`].
    #[inline(always)]
    pub(crate) unsafe fn run_in_blocks<S: Simd>(self, simd: S, tiles: &mut Tiles) {
        debug_assert!(self.a_group.is_none());
        for first in (0..self.rows).step_by(ROWS) {
            let mut done = 0;
            // The loop runs at least once, because with a depth of 0 the initial value must still be written.
            loop {
                let depth = S::DEPTH.min(self.depth - done);
                let block = Self {
                    rows: ROWS.min(self.rows - first),
                    depth,
                    a: self.a.wrapping_add(first * self.a_row + done * self.a_step),
                    b: self.b.wrapping_add(done * self.b_step),
                    c: self.c.wrapping_add(first * self.c_row),
                    start: if done > 0 { Start::Accumulate } else { self.start },
                    ..self
                };
                // SAFETY: the caller promises a valid strip, and the block is the part of it from row `first` and
                // word `done` on.
                unsafe { block.run(simd, tiles) };
                done += depth;
                if done >= self.depth {
                    break;
                }
            }
        }
    }

    /// Computes all rows in tiles of `VECTORS` vectors that are as high as a group, or lower and at the end, so
    /// that none crosses the end of a group.
    ///
    /// # Safety
    /// As for [`Strip::take`].
    #[inline(always)]
    unsafe fn take_groups<S: Simd, const VECTORS: usize>(&mut self, simd: S) {
        // SAFETY: the caller promises what each of these calls requires.
        unsafe {
            match S::GROUP {
                8 => self.take::<S, 8, VECTORS>(simd),
                6 => self.take::<S, 6, VECTORS>(simd),
                _ => {}
            }
            self.take::<S, 4, VECTORS>(simd);
            self.take::<S, 2, VECTORS>(simd);
            self.take::<S, 1, VECTORS>(simd);
        }
    }

    /// Computes tiles of `ROWS` rows by `VECTORS` vectors while at least `ROWS` rows are left. Does nothing
    /// where the level has too few registers for such a tile.
    ///
    /// # Safety
    /// The pointers of the strip are valid for all rows that are left, as [`Strip::run`] requires it, and
    /// `VECTORS` is the number of vectors that hold its columns.
    #[inline(always)]
    unsafe fn take<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S) {
        if ROWS * VECTORS + VECTORS + 1 > S::REGISTERS {
            return;
        }
        if self.rows < ROWS {
            return;
        }
        // The highest tiles ask for the next panel's lines, each for its share of them, and the few rows that are left after
        // them for nothing more.
        let mut next = self.next.take().filter(|_| S::PREFETCH);
        let share = match next {
            Some(_) => (self.depth * self.b_step * ROWS / self.rows).min(MOST_AHEAD),
            None => 0,
        };
        while self.rows >= ROWS {
            if let Some(next) = &mut next {
                for word in (0..share).step_by(LINE) {
                    FloatPtr::F32(next.wrapping_add(word)).prefetch();
                }
                *next = next.wrapping_add(share.next_multiple_of(LINE));
            }
            // SAFETY: the caller promises pointers that are valid for all rows that are left, which are at
            // least `ROWS`.
            unsafe { simd.call(Tile::<P, ROWS, VECTORS>(*self)) };
            self.rows -= ROWS;
            let step = match self.a_group {
                Some(group) if ROWS == group.rows => group.step,
                _ => ROWS * self.a_row,
            };
            self.a = self.a.wrapping_add(step);
            self.c = self.c.wrapping_add(ROWS * self.c_row);
        }
    }
}

/// The first `ROWS` rows of a strip whose sums are held in registers.
struct Tile<P, const ROWS: usize, const VECTORS: usize>(Strip<P>);

impl<P: Product, const ROWS: usize, const VECTORS: usize> Kernel for Tile<P, ROWS, VECTORS> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let Strip { columns, depth, mut a, a_row, a_step, mut b, b_step, c, c_row, start, .. } =
            self.0;
        // The number of lanes of the last vector that exist in C.
        let tail = columns - (VECTORS - 1) * S::LANES;
        let lanes = |v: usize| if v + 1 == VECTORS { tail } else { S::LANES };
        // SAFETY: the caller promises pointers that are valid for the first `ROWS` rows of the strip: for `depth`
        // words of each row of A, for `depth` lines of whole vectors of B, and for `columns` numbers of each row
        // of C and of a starting row, past which `lanes` keeps loads and stores from going.
        unsafe {
            let mut acc = [[simd.splat(0.0); VECTORS]; ROWS];
            match start {
                Start::Zero => {}
                Start::Accumulate => {
                    for (r, acc) in acc.iter_mut().enumerate() {
                        for (v, acc) in acc.iter_mut().enumerate() {
                            *acc = simd.load_upto(c.add(r * c_row + v * S::LANES), lanes(v));
                        }
                    }
                }
                Start::Row(row) => {
                    for v in 0..VECTORS {
                        let x = simd.load_upto(row.add(v * S::LANES), lanes(v));
                        for acc in &mut acc {
                            acc[v] = x;
                        }
                    }
                }
            }
            for _ in 0..depth {
                let mut columns = [simd.splat(0.0); VECTORS];
                for (v, x) in columns.iter_mut().enumerate() {
                    *x = simd.load(b.add(v * S::LANES));
                }
                for (r, acc) in acc.iter_mut().enumerate() {
                    let x = simd.splat(*a.add(r * a_row));
                    for (acc, column) in acc.iter_mut().zip(columns) {
                        *acc = P::dot(simd, *acc, x, column);
                    }
                }
                a = a.wrapping_add(a_step);
                b = b.wrapping_add(b_step);
            }
            for (r, acc) in acc.iter().enumerate() {
                for (v, acc) in acc.iter().enumerate() {
                    simd.store_upto(c.add(r * c_row + v * S::LANES), lanes(v), *acc);
                }
            }
        }
    }
}
