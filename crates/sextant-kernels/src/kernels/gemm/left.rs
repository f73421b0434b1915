use std::marker::PhantomData;

use crate::simd::{Kernel, Level, Simd, launch};

use super::super::floats::{FloatPtr, Floats};
use super::super::parallel::{self, Room};
use super::pack::{Size, Sizes, convert_rows, pack_panel};
use super::{GROUP, Matrix, Product};

/// The left factor of a product as words, in blocks of rows.
///
/// Rows that lie as they are multiplied are borrowed: `f32` numbers where those are the words, and pairs of
/// bf16 numbers where those are. Others are copied once, for all the tasks that read them: numbers that a
/// word is not, and transposed matrices, of which each step along the depth would be another line of
/// memory.
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
    /// Blocks that are written as far as they have rows.
    Copied(Room<f32>),
}

impl<'a, P: Product> Left<'a, P> {
    /// Of a matrix of `rows` and `depth`, of which `block` rows are multiplied at a time.
    pub(crate) fn new(
        level: Level,
        matrix: Matrix<'a>,
        rows: usize,
        depth: usize,
        block: usize,
    ) -> Self {
        matrix.check(rows, depth);
        let along = matrix.column == 1;
        // SAFETY: the kernel holds no pointer.
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
        // Transposing fills whole vectors, or whole groups.
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
            // SAFETY: the matrix lies in its data, as was checked above, and blocks are disjoint parts of
            // the buffer, which has room for all.
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
    /// From a row to the next.
    pub(crate) fn per_row(&self) -> usize {
        self.per_row
    }
    /// From a word to the next along the depth.
    pub(crate) fn per_step(&self) -> usize {
        self.per_step
    }
    /// From a group to the next, where it is in groups.
    pub(crate) fn per_group(&self) -> Option<usize> {
        self.per_group
    }
}

/// The words that a matrix already is, if it is.
fn as_words<P: Product>(matrix: Matrix<'_>, depth: usize, per_word: usize) -> Option<&'_ [f32]> {
    match matrix.data {
        Floats::F32(numbers) => P::PLAIN.then_some(numbers),
        Floats::Bf16(numbers) => {
            let whole = per_word == 2 && depth.is_multiple_of(2) && matrix.row.is_multiple_of(2);
            // SAFETY: every bit pattern is an f32, and two bf16 numbers are as large as one.
            let (before, words, _) = unsafe { numbers.align_to::<f32>() };
            (whole && before.is_empty()).then_some(words)
        }
    }
}

/// Some rows on their way into a block.
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
        // SAFETY: the caller promises that the rows can be read and that the block has room for them.
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

/// Copies rows that lie side by side, a line for each number of the depth, into groups of
/// `[words][GROUP]`, with zeros in rows that are missing.
///
/// # Safety
/// Vectors of `S` hold more than a group; the pointers are valid for these sizes.
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
            // SAFETY: the caller promises that the lines can be read and that there is room for the groups; of a
            // line only the rows inside are read.
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
