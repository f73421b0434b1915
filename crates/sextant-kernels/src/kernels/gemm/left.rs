use std::borrow::Cow;
use std::marker::PhantomData;

use crate::simd::{Kernel, Level, Simd, launch};

use super::super::floats::{FloatPtr, Floats};
use super::super::parallel::{self, SharedMut, uninitialised};
use super::pack::{Size, Sizes, convert_rows, pack_panel};
use super::{GROUP, Matrix, Product};

/// The left factor of a product as words, in blocks of rows.
///
/// Rows that lie as they are multiplied are borrowed: `f32` numbers where those are the words, and pairs of
/// bf16 numbers where those are. Others are copied once, for all the tasks that read them: numbers that a
/// word is not, and transposed matrices, of which each step along the depth would be another line of
/// memory.
pub(crate) struct Left<'a, P> {
    data: Cow<'a, [f32]>,
    per_block: usize,
    per_row: usize,
    per_step: usize,
    per_group: Option<usize>,
    product: PhantomData<P>,
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
        // SAFETY: the level is supported; the kernel only computes sizes.
        let Size { lanes, per_word, groups, .. } =
            unsafe { launch(level, Sizes::<P>(1, PhantomData)) };
        if let Some(data) = as_words::<P>(matrix, depth, per_word)
            && along
        {
            let per_row = matrix.row / per_word;
            return Self {
                data: data.into(),
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
        let mut data = uninitialised(blocks * per_block);
        let to = SharedMut::new(&mut data);
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
            // SAFETY: the level is supported, the matrix was checked above, and blocks are disjoint
            // parts of the buffer.
            unsafe { launch(level, copy) };
        });
        Self { data: data.into(), per_block, per_row, per_step, per_group, product: PhantomData }
    }

    /// Where a block starts.
    pub(crate) fn block(&self, index: usize) -> *const f32 {
        self.data.as_ptr().wrapping_add(index * self.per_block)
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
    unsafe fn run<S: Simd>(self) {
        let Self { from, matrix: (row, column), rows, depth, to, words, stride, in_groups, .. } =
            self;
        // SAFETY: passed on to the caller.
        unsafe {
            if column == 1 {
                convert_rows::<S, P>(from, row, rows, depth, to, words);
            } else if in_groups {
                copy_groups::<S, P>(from, column, rows, depth, to);
            } else {
                pack_panel::<S, P>(from, column, 1, depth, rows, to, stride);
            }
        }
    }
}

/// Copies rows that lie side by side, a line for each number of the depth, into groups of
/// `[words][GROUP]`, with zeros in rows that are missing.
///
/// # Safety
/// The machine supports `S`, whose vectors hold more than a group; the pointers are valid for these sizes.
#[inline(always)]
unsafe fn copy_groups<S: Simd, P: Product>(
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
            // SAFETY: the caller's promise.
            unsafe {
                let mut x = low.load::<S>(first, inside);
                if per_word == 1 {
                    x = P::single::<S>(x);
                } else {
                    let high = if 2 * word + 1 < depth { inside } else { 0 };
                    x = S::pair_bf16(x, low.add(line).load::<S>(first, high));
                }
                S::store_first(to.wrapping_add(first * words + word * GROUP), GROUP, x);
            }
        }
    }
}
