//! Attention within the rows of a pack, and its gradient.
//!
//! A task is some key heads of one row. Scores are computed for a block of queries at a time in
//! this thread's scratch; of each query and head only the logarithm of the softmax's sum is kept,
//! and the backward pass computes the probabilities again from it (Dao et al. 2022).

//!
//! Scores may be changed between their products and the softmax: kept within a cap, or by the relative
//! positions of [`relative`].

mod backward;
mod distances;
mod forward;
mod relative;

use std::ops::Range;

use super::floats::{FloatMut, FloatPtr, Floats, copy_line};
use super::gemm::{F32, Start, Strip, pack_panel, panel_width};
use super::parallel::SharedMut;
use crate::simd::{Kernel, Simd};
use crate::{AttentionSpec, Mask, RelativePositions, Segments};

pub(crate) use backward::{Saved, backward};
pub(crate) use forward::forward;

/// What attention is computed of.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) qkv: Floats<'a>,
    pub(crate) segments: &'a Segments,
    pub(crate) spec: &'a AttentionSpec,
    pub(crate) scores: Scores<'a>,
}

/// What happens to scores between their products and the softmax.
#[derive(Clone, Copy)]
pub(crate) enum Scores<'a> {
    Plain,
    /// `cap · tanh(score / cap)`
    Capped(f32),
    /// The products with a table of relative positions are added to them; it has the rows that the longest
    /// row of the pack can use.
    Relative(Floats<'a>, RelativePositions),
}

impl Scores<'_> {
    fn cap(self) -> Option<f32> {
        if let Self::Capped(cap) = self { Some(cap) } else { None }
    }
}

/// Queries that are worked on together.
const BLOCK: usize = 64;
/// Multiplications that make a task worth handing to another thread.
const TASK: usize = 1 << 20;
/// Multiplications of a head that make a chunk of rows worth a sum of its own, and how many such sums a head has
/// at most.
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

/// All tasks, the longest rows first, which balances threads best.
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

/// Rows of the pack that follow each other, in chunks of about as much work: how many there are depends on the
/// lengths alone.
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

/// Elementary operations of an attention, for deciding whether threads are worth it.
fn work(segments: &Segments, spec: &AttentionSpec) -> usize {
    let squares: usize = segments.ranges().map(|row| row.len() * row.len()).sum();
    squares * spec.head_dim * spec.heads
}

/// Keys that any query of a block sees, starting at a whole panel.
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
    /// From one depth to the next.
    step: usize,
    /// From one panel to the next.
    panel: usize,
}

impl Panels {
    /// Numbers that a matrix takes.
    #[inline(always)]
    fn size<S: Simd>(depth: usize, columns: usize) -> usize {
        let width = panel_width::<S>(columns);
        columns.div_ceil(width) * width * depth
    }

    /// Packs into `[panel][depth][width]` the matrix whose number at depth `k` of column `j` is `from[k * step + j * column]`.
    ///
    /// # Safety
    /// `data` has room for [`Self::size`]; `from` is valid for the matrix; one stride is 1.
    #[inline(always)]
    unsafe fn pack<S: Simd>(
        simd: S,
        data: *mut f32,
        from: FloatPtr,
        [step, column]: [usize; 2],
        depth: usize,
        columns: usize,
    ) -> Self {
        let width = panel_width::<S>(columns);
        for panel in 0..columns.div_ceil(width) {
            let first = panel * width;
            // SAFETY: the panel's columns are among the matrix's, of which the caller promises that they can
            // be read, and its place is inside the room that the caller promises.
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

    /// A matrix that lies as rows of `step` numbers, of which whole vectors can be read from any of the
    /// `columns` on.
    #[inline(always)]
    fn rows<S: Simd>(data: *const f32, step: usize, columns: usize) -> Self {
        let width = panel_width::<S>(columns);
        Self { data, width, step, panel: width }
    }
}

/// Rows of a head as `f32`, and the distance from one to the next: where they lie, or copied to the
/// scratch.
///
/// # Safety
/// `from` is valid for the rows, `stride` apart, and the scratch for
/// `rows * dim` numbers.
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
        // SAFETY: the caller promises that the rows can be read and that the scratch holds as many.
        unsafe { copy_line(simd, from.add(row * stride), to, row * dim, dim) };
    }
    (scratch, dim)
}

/// Where rows of a head are computed before they go to `to`.
#[derive(Clone, Copy)]
struct Rows {
    data: *mut f32,
    stride: usize,
    /// Where they go, and the distance from one to the next there; nowhere when they are there already.
    to: Option<(FloatMut, usize, usize)>,
}

impl Rows {
    /// In place where `to` holds `f32`, else in the scratch.
    #[inline(always)]
    fn new(to: FloatMut, at: usize, stride: usize, dim: usize, scratch: *mut f32) -> Self {
        match to {
            FloatMut::F32(to) => Self { data: to.at(at), stride, to: None },
            FloatMut::Bf16(_) => Self { data: scratch, stride: dim, to: Some((to, at, stride)) },
        }
    }

    /// Brings rows to where they belong.
    ///
    /// # Safety
    /// Both places hold the rows, which are this task's alone.
    #[inline(always)]
    unsafe fn finish<S: Simd>(self, simd: S, rows: usize, dim: usize) {
        let Some((to, at, stride)) = self.to else { return };
        for row in 0..rows {
            let from = FloatPtr::F32(self.data.wrapping_add(row * self.stride));
            // SAFETY: the caller promises that both places hold the rows and that no other task writes them.
            unsafe { copy_line(simd, from, to, at + row * stride, dim) };
        }
    }
}

/// `c = start + a · b` for a range of `b`'s depth or columns.
struct MatrixProduct {
    rows: usize,
    a: *const f32,
    a_row: usize,
    a_step: usize,
    b: Panels,
    /// The part of `b`'s depth that is multiplied; `a` starts at its start.
    depth: Range<usize>,
    /// The columns of `b` that are multiplied; starts at a whole panel. `c` starts at its start.
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
                product: std::marker::PhantomData,
            };
            // SAFETY: the caller promises pointers that are valid for the whole product, of which the strip is
            // a part.
            unsafe { strip.run(simd) };
        }
    }
}

/// Sets what lies between `columns` and `visible` to zero.
///
/// # Safety
/// `line` is valid for `columns`, relative to their start.
#[inline(always)]
unsafe fn clear_outside(line: *mut f32, columns: &Columns, visible: &Range<usize>) {
    // SAFETY: what is visible lies inside the columns, for which the caller promises that `line` is valid.
    unsafe {
        line.write_bytes(0, visible.start - columns.first);
        line.add(visible.end - columns.first).write_bytes(0, columns.end - visible.end);
    }
}

#[cfg(test)]
mod tests;
