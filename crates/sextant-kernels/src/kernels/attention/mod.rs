//! Attention within the rows of a pack, and its gradient.
//!
//! A task computes some key heads of one row. Scores are computed for a block of queries at a time, in the
//! thread's scratch. Only the logarithm of the softmax's sum is kept for each query and head, and the backward
//! pass recomputes the probabilities from it (Dao et al. 2022).
//!
//! Scores may be changed between the product of queries and keys and the softmax: limited by a cap, or by
//! adding the terms of relative positions ([`relative`]).

mod backward;
mod distances;
mod forward;
mod line;
mod relative;

use std::ops::Range;

use super::floats::{FloatMut, FloatPtr, Floats, copy_line};
use super::gemm::{F32, Start, Strip, pack_panel, panel_width};
use super::parallel::SharedMut;
use crate::simd::{Kernel, Simd, Tiles};
use crate::{AttentionSpec, Mask, RelativePositions, Segments};

pub(crate) use backward::{Saved, backward};
pub(crate) use forward::forward;

/// What attention is computed from.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) qkv: Floats<'a>,
    pub(crate) segments: &'a Segments,
    pub(crate) spec: &'a AttentionSpec,
    pub(crate) scores: Scores<'a>,
}

/// How scores are changed between the product of queries and keys and the softmax.
#[derive(Clone, Copy)]
pub(crate) enum Scores<'a> {
    Plain,
    /// `cap · tanh(score / cap)`
    Capped(f32),
    /// The products of queries and keys with a table of relative positions are added to the scores. The table
    /// has only the rows that the longest row of the pack can use.
    Relative(Floats<'a>, RelativePositions),
}

impl Scores<'_> {
    fn cap(self) -> Option<f32> {
        if let Self::Capped(cap) = self { Some(cap) } else { None }
    }
}

/// The number of queries of a block, whose scores are computed together.
const BLOCK: usize = 64;
/// The number of multiplications from which a task is worth handing to another thread.
const TASK: usize = 1 << 20;
/// The number of multiplications of a head from which a chunk of rows is worth a sum of its own, and the most
/// sums that a head has.
const CHUNK: usize = 1 << 22;
const CHUNKS: usize = 4;

/// Some key heads of one row of the pack.
#[derive(Clone)]
struct Task {
    /// First token of the row.
    first: usize,
    /// Tokens of the row.
    length: usize,
    kv_heads: Range<usize>,
}

/// All tasks, those of the longest rows first, because this order balances the threads best.
fn tasks(segments: &Segments, spec: &AttentionSpec) -> Vec<Task> {
    assert_eq!(spec.heads, spec.kv_heads * spec.group(), "attention: heads without a key head");
    let mut rows: Vec<Range<usize>> = segments.ranges().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.len()));
    let mut tasks = Vec::new();
    for row in rows {
        let per_head = row.len() * row.len() * spec.head_dim * spec.group();
        let heads = (TASK / per_head).clamp(1, spec.kv_heads);
        for first in (0..spec.kv_heads).step_by(heads) {
            tasks.push(Task {
                first: row.start,
                length: row.len(),
                kv_heads: first..(first + heads).min(spec.kv_heads),
            });
        }
    }
    tasks
}

/// Divides the rows of the pack into chunks of consecutive rows with about the same amount of work. The number
/// of chunks depends on the lengths of the rows and the head dimension, not on the number of threads.
fn chunks(segments: &Segments, spec: &AttentionSpec) -> Vec<Range<usize>> {
    let squares = || segments.ranges().map(|row| row.len() * row.len());
    let all: usize = squares().sum();
    let share = all.div_ceil((all * spec.head_dim / CHUNK).clamp(1, CHUNKS));
    let mut chunks = Vec::new();
    let (mut first, mut sum) = (0, 0);
    for (row, square) in squares().enumerate() {
        sum += square;
        if sum >= share || row + 1 == segments.rows() {
            chunks.push(first..row + 1);
            (first, sum) = (row + 1, 0);
        }
    }
    chunks
}

/// The number of elementary operations of an attention, which decides whether several threads are used.
fn work(segments: &Segments, spec: &AttentionSpec) -> usize {
    let squares: usize = segments.ranges().map(|row| row.len() * row.len()).sum();
    squares * spec.head_dim * spec.heads
}

/// The range of keys that the queries of a block see, extended at its start to the start of a panel.
struct Columns {
    first: usize,
    end: usize,
}

impl Columns {
    fn of(mask: Mask, queries: Range<usize>, length: usize, width: usize) -> Self {
        Self {
            first: mask.visible(queries.start, length).start / width * width,
            end: mask.visible(queries.end - 1, length).end,
        }
    }
}

/// The right factor of a product, by panels of columns.
#[derive(Clone, Copy)]
struct Panels {
    data: *const f32,
    /// Columns of a panel.
    width: usize,
    /// The distance from one step of the depth to the next, in numbers.
    step: usize,
    /// The distance from one panel to the next, in numbers.
    panel: usize,
}

impl Panels {
    /// The room that a packed matrix takes, in numbers.
    #[inline(always)]
    fn size<S: Simd>(depth: usize, columns: usize) -> usize {
        let width = panel_width::<S, F32>(columns);
        columns.div_ceil(width) * width * depth
    }

    /// Packs into `[panel][depth][width]` the matrix whose number at depth `k` of column `j` is
    /// `from[k * step + j * column]`.
    ///
    /// # Safety
    /// `data` has room for [`Self::size`] numbers, `from` is valid for the matrix, and one stride is 1.
    #[inline(always)]
    unsafe fn pack<S: Simd>(
        simd: S,
        data: *mut f32,
        from: FloatPtr,
        [step, column]: [usize; 2],
        depth: usize,
        columns: usize,
    ) -> Self {
        let width = panel_width::<S, F32>(columns);
        for panel in 0..columns.div_ceil(width) {
            let first = panel * width;
            // SAFETY: the panel's columns are columns of the matrix, which the caller promises can be read. The
            // panel starts at `first * depth` and has `depth * width` numbers, so it ends within the `size`
            // for which the caller promises room. One stride is 1, as the caller promises too, and
            // `panel_width` gives a whole number of vectors.
            unsafe {
                pack_panel::<S, F32>(
                    simd,
                    from.add(first * column),
                    step,
                    column,
                    depth,
                    width.min(columns - first),
                    data.add(first * depth),
                    width,
                );
            }
        }
        Self { data, width, step: width, panel: depth * width }
    }

    /// A matrix that is read in place: its rows are `step` numbers apart, and a whole vector can be read from
    /// any of its `columns` on.
    #[inline(always)]
    fn rows<S: Simd>(data: *const f32, step: usize, columns: usize) -> Self {
        let width = panel_width::<S, F32>(columns);
        Self { data, width, step, panel: width }
    }
}

/// Rows of a head as `f32`, and the distance from one row to the next. Rows that are `f32` already are returned
/// in place; others are converted into the scratch.
///
/// # Safety
/// `from` is valid for `rows` rows of `dim` numbers, `stride` apart, and the scratch for `rows * dim` numbers.
#[inline(always)]
unsafe fn rows_of_head<S: Simd>(
    simd: S,
    from: FloatPtr,
    stride: usize,
    rows: usize,
    dim: usize,
    scratch: *mut f32,
) -> (*const f32, usize) {
    if let FloatPtr::F32(from) = from {
        return (from, stride);
    }
    let to = FloatMut::F32(SharedMut::from(scratch));
    for row in 0..rows {
        // SAFETY: the caller promises that the rows can be read and that the scratch, which belongs to this
        // thread, has room for all of them.
        unsafe { copy_line(simd, from.add(row * stride), to, row * dim, dim) };
    }
    (scratch, dim)
}

/// Where rows of a head are computed: in the result itself, or in the scratch, from where they are copied to
/// `to`.
#[derive(Clone, Copy)]
struct Rows {
    data: *mut f32,
    stride: usize,
    /// The result, the index of the first row in it, and the distance from one row to the next. `None` when the
    /// rows are computed in the result itself.
    to: Option<(FloatMut, usize, usize)>,
}

impl Rows {
    /// Rows that are computed in `to` itself if it is `f32`, and in the scratch otherwise.
    #[inline(always)]
    fn new(to: FloatMut, at: usize, stride: usize, dim: usize, scratch: *mut f32) -> Self {
        match to {
            FloatMut::F32(to) => Self { data: to.at(at), stride, to: None },
            FloatMut::Bf16(_) => Self { data: scratch, stride: dim, to: Some((to, at, stride)) },
        }
    }

    /// Copies the rows from the scratch to the result, if they were computed in the scratch.
    ///
    /// # Safety
    /// The rows can be read at `data`, and the result has room for them, which no other task accesses.
    #[inline(always)]
    unsafe fn finish<S: Simd>(self, simd: S, rows: usize, dim: usize) {
        let Some((to, at, stride)) = self.to else { return };
        for row in 0..rows {
            let from = FloatPtr::F32(self.data.wrapping_add(row * self.stride));
            // SAFETY: the caller promises that the rows can be read at `data` and that the result has room for
            // them, which no other task accesses.
            unsafe { copy_line(simd, from, to, at + row * stride, dim) };
        }
    }
}

/// `c = start + a · b` for a range of the depth and of the columns of `b`.
struct MatrixProduct {
    rows: usize,
    a: *const f32,
    a_row: usize,
    a_step: usize,
    b: Panels,
    /// The part of the depth of `b` that is multiplied; `a` points to the start of this part.
    depth: Range<usize>,
    /// The columns of `b` that are multiplied, from the start of a panel on; `c` points to the first of them.
    columns: Range<usize>,
    c: *mut f32,
    c_row: usize,
    start: Start,
}

impl Kernel for MatrixProduct {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let width = self.b.width;
        #[cfg(feature = "profile")]
        let _span = {
            let operations = 2 * self.rows * self.columns.len() * self.depth.len();
            crate::profile::Span::new(crate::profile::Part::Attention, operations)
        };
        for first in self.columns.clone().step_by(width) {
            let strip = Strip::<F32> {
                rows: self.rows,
                columns: width.min(self.columns.end - first),
                depth: self.depth.len(),
                a: self.a,
                a_row: self.a_row,
                a_step: self.a_step,
                a_group: None,
                b: self
                    .b
                    .data
                    .wrapping_add(first / width * self.b.panel + self.depth.start * self.b.step),
                b_step: self.b.step,
                c: self.c.wrapping_add(first - self.columns.start),
                c_row: self.c_row,
                start: self.start,
                next: None,
                product: std::marker::PhantomData,
            };
            // SAFETY: the caller promises pointers that are valid for the whole product, of which the strip is the
            // part with the columns of one panel, at most `width` of them.
            unsafe { strip.run(simd, &mut Tiles::default()) };
        }
    }
}

/// Sets the numbers of all `columns` that are not `visible` to zero.
///
/// # Safety
/// `line` is valid for a number for each of the `columns`, and `visible` lies within them.
#[inline(always)]
unsafe fn clear_outside(line: *mut f32, columns: &Columns, visible: &Range<usize>) {
    // SAFETY: the caller promises that `line` is valid for all columns and that `visible` lies within them, so
    // the numbers before and after `visible` are part of the line.
    unsafe {
        line.write_bytes(0, visible.start - columns.first);
        line.add(visible.end - columns.first).write_bytes(0, columns.end - visible.end);
    }
}

#[cfg(test)]
mod tests;
