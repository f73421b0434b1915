use std::marker::PhantomData;

use crate::simd::{Kernel, Level, SIDE, Simd, launch};

use super::super::floats::{FloatPtr, Floats};
use super::super::parallel::{self, Room};
use super::Matrix;
use super::pack::{Size, Sizes, convert_rows};
use super::tile::{Group, Product};

/// The left factor of a product as words, in blocks of rows.
///
/// A matrix whose memory already holds its words row by row can be borrowed: `f32` numbers where a word is one
/// `f32`, and bf16 numbers where a word is a pair of them. Any other matrix is copied once, for all the tasks
/// that read it: one whose numbers must be converted to words, and a transposed one, where each step along
/// the depth would read another line of memory.
///
/// Copies are in *groups* of as many rows as the largest tile has, `[words][group]`, where that is possible. So
/// a tile reads one run of memory in place of a line for each row, and lines whose addresses differ by a power
/// of two do not drive each other out of the cache. This is worth a copy even of a matrix that could be
/// borrowed, if enough columns are multiplied with it.
pub(crate) struct Left<'a, P> {
    data: Words<'a>,
    per_block: usize,
    per_row: usize,
    per_step: usize,
    group: Option<Group>,
    product: PhantomData<P>,
}

/// The least number of columns for which a left factor that could be borrowed is copied into groups. A copy costs
/// about as much as multiplying with so many columns saves.
const COPY_FROM: usize = 128;
/// Rows that are a multiple of so many bytes apart share few places in caches: the first-level caches of common
/// processors have a place for each line of 4 KiB, and only 8 or 12 lines can be in it at a time.
const COLLIDING: usize = 4096;

enum Words<'a> {
    Borrowed(&'a [f32]),
    /// Copied blocks. Only the rows that a block has are written; the rest of its room is never read.
    Copied(Room<f32>),
}

impl<'a, P: Product> Left<'a, P> {
    /// The words of a matrix of `rows` rows and `depth` columns, of which `block` rows are multiplied at a time
    /// with `columns` columns.
    pub(crate) fn new(
        level: Level,
        matrix: Matrix<'a>,
        [rows, depth, columns]: [usize; 3],
        block: usize,
    ) -> Self {
        matrix.check(rows, depth);
        let along = matrix.column == 1;
        // SAFETY: `launch` asks that the kernel's pointers are valid, and `Sizes` holds none.
        let Size { per_word, words, group, tiled, .. } =
            unsafe { launch(level, Sizes::<P>([depth, 1], PhantomData)) };
        // Tiles are whole, so that rows which end within one must be copied, with zeros at their end.
        let whole = !tiled || depth == words * per_word;
        let borrowed = as_words::<P>(matrix, depth, per_word).filter(|_| along && whole);
        if let Some(data) = borrowed
            && (columns < COPY_FROM || !(matrix.row / per_word * 4).is_multiple_of(COLLIDING))
        {
            let per_row = matrix.row / per_word;
            return Self {
                data: Words::Borrowed(data),
                per_block: block * per_row,
                per_row,
                per_step: 1,
                group: None,
                product: PhantomData,
            };
        }
        let in_groups = !tiled && (borrowed.is_some() || !along);
        let (per_block, per_row, per_step) = if in_groups {
            // Whole groups are written, so each block has room for these.
            (words * block.next_multiple_of(group), 1, group)
        } else {
            let collides = tiled && words > 0 && (words * 4).is_multiple_of(COLLIDING / 4);
            let row = words + if collides { SIDE } else { 0 };
            (block * row, row, 1)
        };
        let blocks = rows.div_ceil(block.max(1));
        let mut data = Room::new(blocks * per_block);
        let to = data.shared();
        parallel::for_each(blocks, rows * depth * 4, |i| {
            #[cfg(feature = "profile")]
            let _span = crate::profile::Span::new(crate::profile::Part::Packing, 0);
            let copy = Copy::<P> {
                from: matrix.data.at(i * block * matrix.row),
                matrix: (matrix.row, matrix.column),
                rows: block.min(rows - i * block),
                depth,
                to: to.at(i * per_block),
                words,
                to_row: per_row,
                groups_words: in_groups && borrowed.is_some(),
                product: PhantomData,
            };
            // SAFETY: `matrix.check` has found that the matrix lies within its data, so the kernel reads valid
            // numbers. The buffer has room for all blocks, and each task writes another block of it.
            unsafe { launch(level, copy) };
        });
        let data = Words::Copied(data);
        let group = in_groups.then_some(Group { rows: group, step: words * group });
        Self { data, per_block, per_row, per_step, group, product: PhantomData }
    }

    /// Where a block starts.
    pub(crate) fn block(&self, index: usize) -> *const f32 {
        let start = match &self.data {
            Words::Borrowed(words) => words.as_ptr(),
            Words::Copied(words) => words.start(),
        };
        start.wrapping_add(index * self.per_block)
    }
    /// The distance from one row to the next, in words.
    pub(crate) fn per_row(&self) -> usize {
        self.per_row
    }
    /// The distance from one word to the next along the depth, in words.
    pub(crate) fn per_step(&self) -> usize {
        self.per_step
    }
    /// How the rows lie in memory, if they are in groups.
    pub(crate) fn group(&self) -> Option<Group> {
        self.group
    }
}

/// The data of a matrix as words, if its numbers need no conversion.
fn as_words<P: Product>(matrix: Matrix<'_>, depth: usize, per_word: usize) -> Option<&'_ [f32]> {
    match matrix.data {
        Floats::F32(numbers) => P::PLAIN.then_some(numbers),
        Floats::Bf16(numbers) => {
            let whole = per_word == 2 && depth.is_multiple_of(2) && matrix.row.is_multiple_of(2);
            // SAFETY: `align_to` transmutes elements. Every bit pattern is a valid `f32`, and each `f32` covers
            // exactly two bf16 numbers, which are initialized.
            let (before, words, _) = unsafe { numbers.align_to::<f32>() };
            (whole && before.is_empty()).then_some(words)
        }
    }
}

/// Copies some rows of a matrix into a block of words.
struct Copy<P> {
    from: FloatPtr,
    matrix: (usize, usize),
    rows: usize,
    depth: usize,
    to: *mut f32,
    words: usize,
    /// The distance from one row of words to the next, if the words are not in groups.
    to_row: usize,
    /// Whether the matrix already consists of words, in rows, which are brought into groups.
    groups_words: bool,
    product: PhantomData<P>,
}

impl<P: Product> Kernel for Copy<P> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let Self { from, matrix: (row, column), rows, depth, to, words, to_row, .. } = self;
        // SAFETY: the caller promises that the rows can be read and that the block has room for their words,
        // in whole groups where the matrix consists of words or is transposed, and in whole tiles. Where `column` is not 1, the
        // other stride is, as `Matrix::check` found.
        unsafe {
            if self.groups_words {
                let per_word = P::per_word::<S>();
                group_rows(simd, from.words(), row / per_word, rows, words, to);
            } else if column == 1 {
                convert_rows::<S, P>(simd, from, row, rows, depth, to, to_row);
            } else if P::tiled::<S>() {
                turn_rows::<S, P>(simd, from, column, rows, depth, to, to_row);
            } else {
                group_columns::<S, P>(simd, from, column, rows, depth, to);
            }
        }
    }
}

/// Copies rows of words, `row` apart, into groups of `[words][S::GROUP]`. Of the last group only the rows that
/// exist are written.
///
/// # Safety
/// `from` is valid for `rows` rows of `words` words, and `to` for the words of whole groups.
#[inline(always)]
unsafe fn group_rows<S: Simd>(
    simd: S,
    from: *const f32,
    row: usize,
    rows: usize,
    words: usize,
    to: *mut f32,
) {
    for first in (0..rows).step_by(S::GROUP) {
        let inside = S::GROUP.min(rows - first);
        let (from, to) = (from.wrapping_add(first * row), to.wrapping_add(first * words));
        let mut word = 0;
        // SAFETY: the caller promises that the rows can be read and whole groups written. A whole group is
        // turned eight words at a time while so many are left; the other words are copied one by one, in rows
        // that exist.
        unsafe {
            while inside == S::GROUP && words - word >= 8 {
                simd.turn_group(from.add(word), row, to.add(word * S::GROUP));
                word += 8;
            }
            for word in word..words {
                for i in 0..inside {
                    *to.add(word * S::GROUP + i) = *from.add(i * row + word);
                }
            }
        }
    }
}

/// Copies a transposed matrix, whose memory has a line of `rows` numbers for each step of the depth, into rows of
/// words, `to_row` apart, for tile registers. Rows that the last tile lacks are filled with zeros, and so are words.
///
/// # Safety
/// `from` is valid for `depth` lines of `rows` numbers, `line` apart, and `to` for the words of as many rows as tiles
/// have. The level's vectors have as many lanes as a tile has rows.
#[inline(always)]
unsafe fn turn_rows<S: Simd, P: Product>(
    simd: S,
    from: FloatPtr,
    line: usize,
    rows: usize,
    depth: usize,
    to: *mut f32,
    to_row: usize,
) {
    let per_word = P::per_word::<S>();
    debug_assert!(S::LANES == SIDE && per_word == 2);
    let mut lines = [0.0f32; SIDE * SIDE];
    for word in (0..P::words::<S>(depth)).step_by(SIDE) {
        for first in (0..rows).step_by(SIDE) {
            let inside = SIDE.min(rows - first);
            // SAFETY: the caller promises that the lines can be read, and of each at most the `inside` rows that are
            // left are. It promises room for whole tiles, of which this writes one.
            unsafe {
                for (i, words) in lines.chunks_exact_mut(SIDE).enumerate() {
                    let k = per_word * (word + i);
                    let number = |k: usize| {
                        if k < depth {
                            from.add(k * line).load(simd, first, inside)
                        } else {
                            simd.splat(0.0)
                        }
                    };
                    simd.store(words.as_mut_ptr(), simd.pair_bf16(number(k), number(k + 1)));
                }
                let to = to.wrapping_add(first * to_row + word);
                simd.transpose(lines.as_ptr(), SIDE, to, to_row);
            }
        }
    }
}

/// Copies a transposed matrix, whose memory has a line of `rows` numbers for each step of the depth, into
/// groups of `[words][S::GROUP]`. Rows that the last group lacks are filled with zeros.
///
/// # Safety
/// `from` is valid for `depth` lines of `rows` numbers, `line` apart, and `to` for the words of whole groups.
#[inline(always)]
unsafe fn group_columns<S: Simd, P: Product>(
    simd: S,
    from: FloatPtr,
    line: usize,
    rows: usize,
    depth: usize,
    to: *mut f32,
) {
    let per_word = P::per_word::<S>();
    let words = depth.div_ceil(per_word);
    for word in 0..words {
        let low = from.add(word * per_word * line);
        for first in (0..rows).step_by(S::GROUP) {
            let inside = S::GROUP.min(rows - first);
            // SAFETY: the caller promises that the lines can be read, and at most the `inside` rows that are
            // left are read of each. It promises room for whole groups, and `store_group` stores one word of
            // the rows of a group.
            unsafe {
                let mut x = low.load(simd, first, inside);
                if per_word == 1 {
                    x = P::single(simd, x);
                } else {
                    let high = if 2 * word + 1 < depth { inside } else { 0 };
                    x = simd.pair_bf16(x, low.add(line).load(simd, first, high));
                }
                simd.store_group(to.wrapping_add(first * words + word * S::GROUP), x);
            }
        }
    }
}
