use std::marker::PhantomData;

use crate::simd::{Kernel, Level, SIDE, Simd, launch};

use super::super::floats::FloatPtr;
use super::super::parallel::{self, Room};
use super::{Matrix, Product};

/// The right factor of a product, in panels.
///
/// Panel `p` holds columns `p * width..` as `[words][width]`; columns past the end are zero.
#[derive(Debug)]
pub(crate) struct Packed<P> {
    data: Vec<f32>,
    depth: usize,
    words: usize,
    columns: usize,
    width: usize,
    level: Level,
    product: PhantomData<P>,
}

impl<P: Product> Packed<P> {
    /// Packs a matrix of `depth` rows and `columns` columns.
    pub(crate) fn new(level: Level, matrix: Matrix<'_>, depth: usize, columns: usize) -> Self {
        matrix.check(depth, columns);
        // SAFETY: `launch` asks that the kernel's pointers are valid, and `Sizes` holds none.
        let Size { width, words, .. } =
            unsafe { launch(level, Sizes::<P>([depth, columns], PhantomData)) };
        let panels = columns.div_ceil(width);
        let mut data = Room::new(panels * words * width);
        let to = data.shared();
        let group = if matrix.column == 1 { group(panels) } else { 1 };
        parallel::for_each(panels.div_ceil(group), depth * columns, |task| {
            #[cfg(feature = "profile")]
            let _span = crate::profile::Span::new(crate::profile::Part::Packing, 0);
            let first = task * group;
            let pack = PackPanels::<P> {
                from: matrix.data.at(first * width * matrix.column),
                step: matrix.row,
                column: matrix.column,
                depth,
                columns: (group * width).min(columns - first * width),
                to: to.at(first * words * width),
                width,
                product: PhantomData,
            };
            // SAFETY: `matrix.check` has found that the matrix lies within its data, so the kernel reads valid
            // numbers. The buffer has room for all panels, and each task writes other panels of it.
            unsafe { launch(level, pack) };
        });
        // SAFETY: every panel was packed, and packing writes a whole panel, with zeros in the columns past the
        // end, so every number was written.
        let data = unsafe { data.filled() };
        Self { data, depth, words, columns, width, level, product: PhantomData }
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth
    }
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }
    pub(super) fn width(&self) -> usize {
        self.width
    }
    pub(super) fn level(&self) -> Level {
        self.level
    }
    /// Words along the depth.
    pub(super) fn words(&self) -> usize {
        self.words
    }
    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(self.width)
    }
    pub(super) fn panel(&self, panel: usize) -> *const f32 {
        self.data[panel * self.words() * self.width..].as_ptr()
    }
}

/// A kernel that returns the [`Size`]s of its level for a product of so much depth and a right factor with so many
/// columns.
pub(super) struct Sizes<P>(pub(super) [usize; 2], pub(super) PhantomData<P>);

/// The sizes that packing depends on.
pub(super) struct Size {
    /// Columns of a panel.
    pub(super) width: usize,
    /// Numbers in a word.
    pub(super) per_word: usize,
    /// Words along the depth.
    pub(super) words: usize,
    /// Rows that are multiplied at once where there are so many: those of a group of the left factor, or of a tile.
    pub(super) group: usize,
    /// Whether the product runs on tile registers.
    pub(super) tiled: bool,
}

impl<P: Product> Kernel for Sizes<P> {
    type Output = Size;
    #[inline(always)]
    unsafe fn run<S: Simd>(self, _: S) -> Size {
        let [depth, columns] = self.0;
        let tiled = P::tiled::<S>();
        Size {
            width: panel_width::<S, P>(columns),
            per_word: P::per_word::<S>(),
            words: P::words::<S>(depth),
            group: if tiled { SIDE } else { S::GROUP },
            tiled,
        }
    }
}

/// The width of the panels of a matrix with so many columns. A panel has at most as many vectors as a tile,
/// and fewer where the vectors of a narrow matrix are spread evenly over its panels.
#[inline(always)]
pub(crate) fn panel_width<S: Simd, P: Product>(columns: usize) -> usize {
    let vectors = columns.div_ceil(S::LANES).max(1);
    // Four of the eight tile registers hold sums: two by two.
    let panels = vectors.div_ceil(if P::tiled::<S>() { 2 } else { S::PANEL });
    vectors.div_ceil(panels) * S::LANES
}

/// How many panels one task packs of a matrix whose rows are contiguous. It reads rows in pieces as wide as its panels,
/// and memory gives long pieces about twice as fast as single vectors; but each thread should have several tasks.
fn group(panels: usize) -> usize {
    /// Wider pieces are read no faster.
    const MOST: usize = 4;
    panels.div_ceil(4 * parallel::threads()).clamp(1, MOST)
}

/// How many words ahead of its use a row is asked for, and how many blocks of words ahead a column is: what memory takes to
/// answer.
const WORDS_AHEAD: usize = 4;
const BLOCKS_AHEAD: usize = 2;

/// Packs some panels that follow each other, of which the last may lack columns; one alone, unless rows are contiguous.
struct PackPanels<P> {
    from: FloatPtr,
    step: usize,
    column: usize,
    depth: usize,
    columns: usize,
    to: *mut f32,
    width: usize,
    product: PhantomData<P>,
}

impl<P: Product> Kernel for PackPanels<P> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let Self { from, step, column, depth, columns, to, width, .. } = self;
        // SAFETY: the caller promises pointers that are valid for panels of these sizes. One of the strides
        // is 1, as `Matrix::check` found, and `width`, from `panel_width`, is a multiple of the lanes.
        unsafe { pack_panel::<S, P>(simd, from, step, column, depth, columns, to, width) };
    }
}

/// Packs `columns` columns of `depth` numbers into `[words][width]`, with zeros in the columns
/// that are missing. The number at depth `k` of column `j` is `from[k * step + j * column]`. Only where rows are
/// contiguous may there be more columns than one panel has.
///
/// # Safety
/// One of the strides is 1, `width` is a whole number of vectors, `from` is valid for the columns, and `to` for
/// the words.
#[expect(clippy::too_many_arguments, reason = "a panel has this many parts")]
#[inline(always)]
pub(crate) unsafe fn pack_panel<S: Simd, P: Product>(
    simd: S,
    from: FloatPtr,
    step: usize,
    column: usize,
    depth: usize,
    columns: usize,
    to: *mut f32,
    width: usize,
) {
    // SAFETY: the caller promises that the columns can be read, and room for `[words][width]`; `width` is a whole
    // number of vectors, so whole vectors may be stored from every `v` on.
    unsafe {
        if column == 1 {
            return pack_rows::<S, P>(simd, from, step, depth, columns, to, width);
        }
        for v in (0..width).step_by(S::LANES) {
            let inside = columns.saturating_sub(v);
            transpose_block::<S, P>(
                simd,
                from.add(v * column),
                column,
                depth,
                inside.min(S::LANES),
                to.add(v),
                width,
            );
        }
    }
}

/// Packs `columns` columns of a matrix whose rows are contiguous, `step` apart, into as many panels `[words][width]` as
/// they fill, with zeros in the columns that are missing of the last. Without columns, one panel is filled with zeros.
///
/// # Safety
/// `width` is a whole number of vectors, `from` is valid for the columns, and `to` for the panels.
#[inline(always)]
unsafe fn pack_rows<S: Simd, P: Product>(
    simd: S,
    from: FloatPtr,
    step: usize,
    depth: usize,
    columns: usize,
    to: *mut f32,
    width: usize,
) {
    let (per_word, words) = (P::per_word::<S>(), P::words::<S>(depth));
    let panels = columns.div_ceil(width).max(1);
    for word in 0..words {
        for panel in 0..panels {
            for v in (0..width).step_by(S::LANES) {
                let at = panel * width + v;
                let inside = columns.saturating_sub(at);
                for row in 0..per_word {
                    from.add((per_word * (word + WORDS_AHEAD) + row) * step + at).prefetch();
                }
                // SAFETY: the caller promises that the columns can be read, and where fewer columns are left than a
                // vector has lanes, only those are read; the second row of a pair is read only if it exists. The
                // caller also promises room for the panels, whose lines are whole vectors.
                unsafe {
                    let x = if word * per_word >= depth {
                        simd.splat(0.0)
                    } else if per_word == 1 {
                        P::single(simd, load_row(simd, from.add(word * step + at), inside))
                    } else {
                        let low = from.add(2 * word * step + at);
                        let high = if 2 * word + 1 < depth { inside } else { 0 };
                        simd.pair_bf16(
                            load_row(simd, low, inside),
                            load_row(simd, low.add(step), high),
                        )
                    };
                    simd.store(to.add((panel * words + word) * width + v), x);
                }
            }
        }
    }
}

/// A vector of the first `inside` numbers and zeros. Reads nothing when `inside` is 0.
///
/// # Safety
/// `inside` numbers can be read at `from`, or as many as a vector has lanes.
#[inline(always)]
unsafe fn load_row<S: Simd>(simd: S, from: FloatPtr, inside: usize) -> S::V {
    // SAFETY: the caller promises that `inside` numbers can be read, up to a vector, and no more are read.
    unsafe { if inside == 0 { simd.splat(0.0) } else { from.load(simd, 0, inside) } }
}

/// Packs up to `LANES` columns, each of which is contiguous in memory, in blocks of `LANES` words.
///
/// # Safety
/// `from` is valid for `columns` columns of `depth` numbers, `column` apart, and `to` for a vector in each line
/// of words, `width` apart.
#[inline(always)]
unsafe fn transpose_block<S: Simd, P: Product>(
    simd: S,
    from: FloatPtr,
    column: usize,
    depth: usize,
    columns: usize,
    to: *mut f32,
    width: usize,
) {
    let (per_word, words) = (P::per_word::<S>(), P::words::<S>(depth));
    let n = S::LANES;
    // No level has vectors of more than 16 lanes.
    let mut lines = [0.0f32; 16 * 16];
    let mut turned = [0.0f32; 16 * 16];
    // SAFETY: the caller promises that the columns can be read and that whole vectors can be stored in each of
    // the `words` lines at `to`. Of a column only the numbers that are left are read, and only lines that exist
    // are written. A block has at most 16 by 16 words, which the arrays hold.
    unsafe {
        for word in (0..words).step_by(n) {
            let (from, left) = (from.add(word * per_word), words - word);
            if let FloatPtr::F32(from) = from
                && P::PLAIN
                && columns == n
                && left >= n
            {
                simd.transpose(from, column, to.add(word * width), width);
                continue;
            }
            for j in 0..columns {
                let line = from.add(j * column);
                line.add(BLOCKS_AHEAD * per_word * n).prefetch();
                let x = if per_word == 1 {
                    P::single(simd, line.load(simd, 0, left))
                } else {
                    pair_along(simd, line, depth - word * per_word)
                };
                simd.store(lines[j * n..].as_mut_ptr(), x);
            }
            lines[columns * n..n * n].fill(0.0);
            if left >= n {
                simd.transpose(lines.as_ptr(), n, to.add(word * width), width);
            } else {
                simd.transpose(lines.as_ptr(), n, turned.as_mut_ptr(), n);
                for i in 0..left {
                    simd.store(to.add((word + i) * width), simd.load(turned[i * n..].as_ptr()));
                }
            }
        }
    }
}

/// `LANES` words from `2 * LANES` numbers that follow each other. Only `left` numbers exist, if that is less;
/// zeros stand for the others.
///
/// # Safety
/// `left` numbers can be read at `from`, or `2 * LANES`.
#[inline(always)]
unsafe fn pair_along<S: Simd>(simd: S, from: FloatPtr, left: usize) -> S::V {
    // SAFETY: the caller promises that `left` numbers can be read. Where at least two vectors of them are left,
    // exactly two vectors are read; otherwise each number is read by itself. A vector has at most 16 lanes,
    // so that each array holds a whole one.
    unsafe {
        if left >= 2 * S::LANES {
            return match from {
                FloatPtr::F32(from) => simd.pack_bf16(from),
                FloatPtr::Bf16(from) => simd.load(from.cast()),
            };
        }
        let mut low = [0.0f32; 16];
        let mut high = [0.0f32; 16];
        for i in 0..left.min(2 * S::LANES) {
            let half = if i % 2 == 0 { &mut low } else { &mut high };
            half[i / 2] = from.get(i);
        }
        simd.pair_bf16(simd.load(low.as_ptr()), simd.load(high.as_ptr()))
    }
}

/// Converts rows of `depth` numbers, `row` apart, into rows of words, `to_row` apart.
///
/// # Safety
/// `from` is valid for `rows` rows of `depth` numbers, and `to` for as many rows of their words.
#[inline(always)]
pub(super) unsafe fn convert_rows<S: Simd, P: Product>(
    simd: S,
    from: FloatPtr,
    row: usize,
    rows: usize,
    depth: usize,
    to: *mut f32,
    to_row: usize,
) {
    if P::per_word::<S>() == 1 {
        for i in 0..rows {
            for k in (0..depth).step_by(S::LANES) {
                let left = depth - k;
                // SAFETY: the caller promises rows of `depth` numbers, and of as many words, because a word holds
                // one number here; no more than `left` of either are touched.
                unsafe {
                    let x = P::single(simd, from.load(simd, i * row + k, left));
                    simd.store_upto(to.add(i * to_row + k), left, x);
                }
            }
        }
        return;
    }
    let words = P::words::<S>(depth);
    for i in 0..rows {
        for word in (0..words).step_by(S::LANES) {
            let left = depth - 2 * word;
            // SAFETY: the caller promises rows of `depth` numbers, of which `left` are left, and of `words`
            // words, of which `words - word` are left; no more of either are touched.
            unsafe {
                let x = pair_along(simd, from.add(i * row + 2 * word), left);
                simd.store_upto(to.add(i * to_row + word), words - word, x);
            }
        }
    }
}
