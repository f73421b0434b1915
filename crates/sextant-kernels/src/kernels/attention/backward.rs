use std::ops::Range;

use super::super::floats::{FloatMut, FloatRoom, FloatVec, Floats};
use super::super::gemm::{Start, panel_width};
use super::super::layer_norm::factors;
use super::super::parallel::{self, Scratch};
use super::{
    BLOCK, Columns, MatrixProduct, Panels, Rows, Task, clear_outside, rows_of_head, tasks, work,
};
use crate::dropout::RowKey;
use crate::simd::{self, Kernel, Level, Simd, launch};
use crate::{AttentionSpec, Dropout, Segments};

/// What the forward pass left behind.
#[derive(Clone, Copy)]
pub(crate) struct Saved<'a> {
    pub(crate) qkv: Floats<'a>,
    pub(crate) out: Floats<'a>,
    pub(crate) log_sums: &'a [f32],
}

/// The gradient of `qkv`, in its format, from that of the output.
pub(crate) fn backward(
    level: Level,
    saved: Saved<'_>,
    segments: &Segments,
    spec: &AttentionSpec,
    dout: Floats<'_>,
) -> FloatVec {
    let tokens = segments.tokens();
    assert!(
        saved.qkv.len() == tokens * spec.qkv_width()
            && saved.out.len() == tokens * spec.width()
            && saved.log_sums.len() == tokens * spec.heads
            && dout.len() == saved.out.len(),
        "attention: lengths"
    );
    let mut gradient = FloatRoom::new(saved.qkv.format(), saved.qkv.len());
    let to = gradient.shared();
    let tasks = tasks(segments, spec);
    parallel::for_each(tasks.len(), 3 * work(segments, spec), |task| {
        let kernel = Backward { task: &tasks[task], spec, saved, dout, gradient: to };
        // SAFETY: the buffers hold the whole pack, as was checked above, and tasks write the heads of rows
        // that are theirs alone.
        unsafe { launch(level, kernel) };
    });
    // SAFETY: the tasks are all heads of all rows, and each writes its queries, keys and values of every token.
    unsafe { gradient.filled() }
}

struct Backward<'a> {
    task: &'a Task,
    spec: &'a AttentionSpec,
    saved: Saved<'a>,
    dout: Floats<'a>,
    gradient: FloatMut,
}

/// The parts of the scratch.
struct Workspace {
    /// Keys and values as right factors with keys for columns, `[head_dim][length]`.
    keys: Panels,
    values: Panels,
    /// Keys as a right factor with keys for depth, `[length][head_dim]`.
    key_rows: Panels,
    /// A block of queries and of output gradients, as right factors.
    queries: *mut f32,
    dout: *mut f32,
    /// Blocks of probabilities and of score gradients.
    probabilities: *mut f32,
    dscores: *mut f32,
    score_row: usize,
    /// A block of queries, of output gradients and of query gradients, where those are not `f32`.
    query: *mut f32,
    dout_rows: *mut f32,
    dquery: *mut f32,
    /// The gradients of the keys and values.
    dkeys: Rows,
    dvalues: Rows,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let (spec, length) = (self.spec, self.task.length);
        let (dim, stride) = (spec.head_dim, spec.qkv_width());
        let block = BLOCK.min(length);
        let score_row = length.next_multiple_of(panel_width::<S>(length));
        let turned = Panels::size::<S>(dim, length);
        let upright = Panels::size::<S>(length, dim);
        let block_rows = Panels::size::<S>(block, dim);
        let blocks = 2 * block_rows + 2 * block * score_row + 3 * block * dim;
        let size = 2 * turned + upright + blocks + 2 * length * dim;
        let mut owned = Scratch::take(size);
        let scratch = owned.start();
        for kv_head in self.task.kv_heads.clone() {
            // SAFETY: the caller promises buffers of the whole pack; the scratch has room for the parts that
            // follow each other in it.
            unsafe {
                let first = self.task.first * stride;
                let row = self.saved.qkv.at(first);
                let key = row.add((spec.heads + kv_head) * dim);
                let value = row.add((spec.heads + spec.kv_heads + kv_head) * dim);
                let values_at = scratch.add(turned);
                let rows_at = values_at.add(turned);
                let queries = rows_at.add(upright);
                let probabilities = queries.add(2 * block_rows);
                let dscores = probabilities.add(block * score_row);
                let query = dscores.add(block * score_row);
                let dkeys = query.add(3 * block * dim);
                let dkey_at = first + (spec.heads + kv_head) * dim;
                let dvalue_at = dkey_at + spec.kv_heads * dim;
                let dvalues = dkeys.add(length * dim);
                let workspace = Workspace {
                    keys: Panels::pack(simd, scratch, key, [1, stride], dim, length),
                    values: Panels::pack(simd, values_at, value, [1, stride], dim, length),
                    key_rows: Panels::pack(simd, rows_at, key, [stride, 1], length, dim),
                    queries,
                    dout: queries.add(block_rows),
                    probabilities,
                    dscores,
                    score_row,
                    query,
                    dout_rows: query.add(block * dim),
                    dquery: query.add(2 * block * dim),
                    dkeys: Rows::new(self.gradient, dkey_at, stride, dim, dkeys),
                    dvalues: Rows::new(self.gradient, dvalue_at, stride, dim, dvalues),
                };
                for rows in [workspace.dkeys, workspace.dvalues] {
                    for row in 0..length {
                        rows.data.add(row * rows.stride).write_bytes(0, dim);
                    }
                }
                for head in kv_head * spec.group()..(kv_head + 1) * spec.group() {
                    for first in (0..length).step_by(BLOCK) {
                        let queries = first..(first + BLOCK).min(length);
                        self.block(simd, head, queries, &workspace);
                    }
                }
                workspace.dkeys.finish(simd, length, dim);
                workspace.dvalues.finish(simd, length, dim);
            }
        }
    }
}

impl Backward<'_> {
    /// The gradients that a block of queries of one head gives.
    #[inline(always)]
    unsafe fn block<S: Simd>(
        &self,
        simd: S,
        head: usize,
        queries: Range<usize>,
        space: &Workspace,
    ) {
        let (spec, length) = (self.spec, self.task.length);
        let (dim, stride, width) = (spec.head_dim, spec.qkv_width(), spec.width());
        let columns = Columns::of(spec.mask, queries.clone(), length, space.keys.width);
        let rows = queries.len();
        let token = self.task.first + queries.start;
        let query_at = token * stride + head * dim;
        // SAFETY: the caller promises buffers of the whole pack and a scratch for this block; rows, heads and
        // columns lie inside them.
        unsafe {
            let query = self.saved.qkv.at(query_at);
            let dout = self.dout.at(token * width + head * dim);
            let query_rows = Panels::pack(simd, space.queries, query, [stride, 1], rows, dim);
            let dout_rows = Panels::pack(simd, space.dout, dout, [width, 1], rows, dim);
            let query = rows_of_head(simd, query, stride, rows, dim, space.query);
            let dout = rows_of_head(simd, dout, width, rows, dim, space.dout_rows);
            for ((a, a_row), b, c) in
                [(query, space.keys, space.probabilities), (dout, space.values, space.dscores)]
            {
                simd.call(MatrixProduct {
                    rows,
                    a,
                    a_row,
                    a_step: 1,
                    b,
                    depth: 0..dim,
                    columns: columns.first..columns.end,
                    c,
                    c_row: space.score_row,
                    start: Start::Zero,
                });
            }
            for query in queries.clone() {
                self.line(simd, head, query, query - queries.start, &columns, space);
            }
            for (a, b, c) in [
                (space.probabilities, dout_rows, space.dvalues),
                (space.dscores, query_rows, space.dkeys),
            ] {
                simd.call(MatrixProduct {
                    rows: columns.end - columns.first,
                    a,
                    a_row: 1,
                    a_step: space.score_row,
                    b,
                    depth: 0..rows,
                    columns: 0..dim,
                    c: c.data.wrapping_add(columns.first * c.stride),
                    c_row: c.stride,
                    start: Start::Accumulate,
                });
            }
            let dquery = Rows::new(self.gradient, query_at, stride, dim, space.dquery);
            simd.call(MatrixProduct {
                rows,
                a: space.dscores,
                a_row: space.score_row,
                a_step: 1,
                b: space.key_rows,
                depth: columns.first..columns.end,
                columns: 0..dim,
                c: dquery.data,
                c_row: dquery.stride,
                start: Start::Zero,
            });
            dquery.finish(simd, rows, dim);
        }
    }

    /// Turns a line of scores into probabilities, and the gradients of its probabilities into
    /// gradients of the scores before scaling.
    #[inline(always)]
    unsafe fn line<S: Simd>(
        &self,
        simd: S,
        head: usize,
        query: usize,
        line: usize,
        columns: &Columns,
        space: &Workspace,
    ) {
        let (spec, dim) = (self.spec, self.spec.head_dim);
        let token = self.task.first + query;
        let place = token * spec.heads + head;
        let visible = spec.mask.visible(query, self.task.length);
        // SAFETY: the caller promises that the query is of this task and the scratch is that of its block.
        unsafe {
            let probabilities = space.probabilities.add(line * space.score_row);
            let dscores = space.dscores.add(line * space.score_row);
            clear_outside(probabilities, columns, &visible);
            clear_outside(dscores, columns, &visible);
            // Σ p · dp over the keys is what the output and its gradient have in common
            let at = token * spec.width() + head * dim;
            let (out, dout) = (self.saved.out.at(at), self.dout.at(at));
            let mut common = simd.splat(0.0);
            for i in (0..dim).step_by(S::LANES) {
                let left = dim - i;
                common = simd.fma(out.load(simd, i, left), dout.load(simd, i, left), common);
            }
            let dropout = spec.dropout.map(|dropout| (dropout, dropout.row_key(place)));
            score_gradients(
                simd,
                probabilities.add(visible.start - columns.first),
                dscores.add(visible.start - columns.first),
                visible,
                spec.scale,
                *self.saved.log_sums.as_ptr().add(place),
                simd.sum(common),
                dropout,
            );
        }
    }
}

/// # Safety
/// Both lines are valid for as many numbers as keys are visible.
#[expect(clippy::too_many_arguments, reason = "a row of scores has this many parts")]
#[inline(always)]
unsafe fn score_gradients<S: Simd>(
    simd: S,
    probabilities: *mut f32,
    dscores: *mut f32,
    visible: Range<usize>,
    scale: f32,
    log_sum: f32,
    common: f32,
    dropout: Option<(Dropout, RowKey)>,
) {
    let count = visible.len();
    // SAFETY: the caller promises as many numbers as keys are visible, and no lane past them is touched.
    unsafe {
        let (by, log_sum, common) = (simd.splat(scale), simd.splat(log_sum), simd.splat(common));
        for i in (0..count).step_by(S::LANES) {
            let left = count - i;
            let score = simd.mul(simd.load_upto(probabilities.add(i), left), by);
            let p = simd::exp(simd, simd.sub(score, log_sum));
            let mut dp = simd.load_upto(dscores.add(i), left);
            let mut kept = p;
            if let Some((dropout, key)) = dropout {
                let factors = factors(simd, dropout, key, visible.start + i);
                dp = simd.mul(dp, factors);
                kept = simd.mul(p, factors);
            }
            let dscore = simd.mul(simd.mul(p, by), simd.sub(dp, common));
            simd.store_upto(probabilities.add(i), left, kept);
            simd.store_upto(dscores.add(i), left, dscore);
        }
    }
}
