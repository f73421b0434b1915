use std::marker::PhantomData;

use crate::simd::{Kernel, Level, Simd, launch};

use super::super::floats::{FloatPtr, Floats};
use super::super::parallel::{self, Room};
use super::pack::{Size, Sizes, convert_rows, pack_panel};
use super::{GROUP, Matrix, Product};

/// The left factor of a product as words, in blocks of rows.
///
/// A matrix whose memory already holds its words row by row is borrowed: `f32` numbers where a word is one
/// `f32`, and bf16 numbers where a word is a pair of them. Any other matrix is copied once, for all the tasks
/// that read it: one whose numbers must be converted to words, and a transposed one, where each step along
/// the depth would read another line of memory.
pub(crate) struct Left<'a, P> {
    data: Words<'a>,
    per_block: usize,
    per_row: usize,
    per_step: usize,
    per_group: Option<usize>,
    product: PhantomData<P>,
}

enum Words<'a> {
    Borrowed(&'a [f32]),
    /// Copied blocks. Only the rows that a block has are written; the rest of its room is never read.
    Copied(Room<f32>),
}

impl<'a, P: Product> Left<'a, P> {
    /// The words of a matrix of `rows` rows and `depth` columns, of which `block` rows are multiplied at a time.
    pub(crate) fn new(
        level: Level,
        matrix: Matrix<'a>,
        rows: usize,
        depth: usize,
        block: usize,
    ) -> Self {
        matrix.check(rows, depth);
        let along = matrix.column == 1;
        // SAFETY: `launch` asks that the kernel's pointers are valid, and `Sizes` holds none.
        let Size { lanes, per_word, groups, .. } =
            unsafe { launch(level, Sizes::<P>(1, PhantomData)) };
        if let Some(data) = as_words::<P>(matrix, depth, per_word)
            && along
        {
            let per_row = matrix.row / per_word;
            return Self {
                data: Words::Borrowed(data),
                per_block: block * per_row,
                per_row,
                per_step: 1,
                per_group: None,
                product: PhantomData,
            };
        }
        let words = depth.div_ceil(per_word);
        let in_groups = groups && !along;
        // Transposing writes whole vectors or whole groups, so each block has room for these.
        let stride = match (along, in_groups) {
            (true, _) => block,
            (false, true) => block.next_multiple_of(GROUP),
            (false, false) => block.next_multiple_of(lanes),
        };
        let (per_block, per_row, per_step) = match (along, in_groups) {
            (true, _) => (block * words, words, 1),
            (false, true) => (words * stride, 1, GROUP),
            (false, false) => (words * stride, 1, stride),
        };
        let per_group = in_groups.then_some(words * GROUP);
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
                stride,
                in_groups,
                product: PhantomData,
            };
            // SAFETY: `matrix.check` has found that the matrix lies within its data, so the kernel reads valid
            // numbers. The buffer has room for all blocks, and each task writes another block of it.
            unsafe { launch(level, copy) };
        });
        let data = Words::Copied(data);
        Self { data, per_block, per_row, per_step, per_group, product: PhantomData }
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
    /// The distance from one group of rows to the next, in words, if the rows are in groups.
    pub(crate) fn per_group(&self) -> Option<usize> {
        self.per_group
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
    stride: usize,
    in_groups: bool,
    product: PhantomData<P>,
}

impl<P: Product> Kernel for Copy<P> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let Self { from, matrix: (row, column), rows, depth, to, words, stride, in_groups, .. } =
            self;
        // SAFETY: the caller promises that the rows can be read and that the block has room for their words,
        // in whole groups or vectors where the matrix is transposed. Where `column` is not 1, the other stride
        // is, as `Matrix::check` found, and `stride` is a multiple of the lanes. `Sizes` asks for groups only
        // where vectors are wider than a group.
        unsafe {
            if column == 1 {
                convert_rows::<S, P>(simd, from, row, rows, depth, to, words);
            } else if in_groups {
                copy_groups::<S, P>(simd, from, column, rows, depth, to);
            } else {
                pack_panel::<S, P>(simd, from, column, 1, depth, rows, to, stride);
            }
        }
    }
}

/// Copies a transposed matrix, whose memory has a line of `rows` numbers for each step of the depth, into
/// groups of `[words][GROUP]`. Rows that the last group lacks are filled with zeros.
///
/// # Safety
/// Vectors of `S` have more than [`GROUP`] lanes. `from` is valid for `depth` lines of `rows` numbers, `line`
/// apart, and `to` for the words of whole groups.
#[inline(always)]
unsafe fn copy_groups<S: Simd, P: Product>(
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
        for first in (0..rows).step_by(GROUP) {
            let inside = GROUP.min(rows - first);
            // SAFETY: the caller promises that the lines can be read, and at most the `inside` rows that are
            // left are read of each. It promises room for whole groups, and a vector has more lanes than a
            // group, so `store_first` may store `GROUP` of them.
            unsafe {
                let mut x = low.load(simd, first, inside);
                if per_word == 1 {
                    x = P::single(simd, x);
                } else {
                    let high = if 2 * word + 1 < depth { inside } else { 0 };
                    x = simd.pair_bf16(x, low.add(line).load(simd, first, high));
                }
                simd.store_first(to.wrapping_add(first * words + word * GROUP), GROUP, x);
            }
        }
    }
}
