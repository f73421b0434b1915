use std::ops::Range;

use super::super::floats::{FloatMut, FloatPtr, FloatVec, Floats};
use super::super::gemm::{Start, panel_width};
use super::super::layer_norm::factors;
use super::super::parallel::{self, Scratch, SharedMut, uninitialised};
use super::{
    BLOCK, Columns, MatrixProduct, Panels, Rows, Task, clear_outside, rows_of_head, tasks, work,
};
use crate::dropout::RowKey;
use crate::simd::{self, Kernel, Level, Simd, launch};
use crate::{AttentionSpec, Dropout, Segments};

/// Returns the output `[tokens, heads * head_dim]`, in the format of `qkv`, and the logarithm of each softmax's sum,
/// `[tokens, heads]`.
pub(crate) fn forward(
    level: Level,
    qkv: Floats<'_>,
    segments: &Segments,
    spec: &AttentionSpec,
) -> (FloatVec, Vec<f32>) {
    let tokens = segments.tokens();
    assert_eq!(qkv.len(), tokens * spec.qkv_width(), "attention: length");
    let mut out = FloatVec::uninitialised(qkv.format(), tokens * spec.width());
    let mut log_sums = uninitialised(tokens * spec.heads);
    let (to_out, to_sums) = (out.shared(), SharedMut::new(&mut log_sums));
    let tasks = tasks(segments, spec);
    parallel::for_each(tasks.len(), work(segments, spec), |task| {
        let kernel =
            Forward { task: &tasks[task], spec, qkv: qkv.at(0), out: to_out, log_sums: to_sums };
        // SAFETY: the level is supported, the length was checked, and tasks write the heads of
        // rows that are theirs alone.
        unsafe { launch(level, kernel) };
    });
    (out, log_sums)
}

struct Forward<'a> {
    task: &'a Task,
    spec: &'a AttentionSpec,
    qkv: FloatPtr,
    out: FloatMut,
    log_sums: SharedMut<f32>,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (spec, length) = (self.spec, self.task.length);
        let (dim, stride) = (spec.head_dim, spec.qkv_width());
        let key_width = panel_width::<S>(length);
        let score_row = length.next_multiple_of(key_width);
        let (keys, values) = (Panels::size::<S>(dim, length), Panels::size::<S>(length, dim));
        let block = BLOCK.min(length);
        let size = keys + values + block * (score_row + 2 * dim);
        let mut owned = Scratch::take(size);
        let scratch = owned.start();
        for kv_head in self.task.kv_heads.clone() {
            // SAFETY: the caller passes a buffer of the whole pack; scratch has room for both
            // packed matrices, and a block of scores, of queries and of outputs.
            unsafe {
                let row = self.qkv.add(self.task.first * stride);
                let key = row.add((spec.heads + kv_head) * dim);
                let value = row.add((spec.heads + spec.kv_heads + kv_head) * dim);
                let keys_at = scratch;
                let values_at = scratch.add(keys);
                let keys = Panels::pack::<S>(keys_at, key, [1, stride], dim, length);
                let values = Panels::pack::<S>(values_at, value, [stride, 1], length, dim);
                let scores = values_at.add(Panels::size::<S>(length, dim));
                let query = scores.add(block * score_row);
                let space =
                    Space { keys, values, scores, score_row, query, out: query.add(block * dim) };
                for head in kv_head * spec.group()..(kv_head + 1) * spec.group() {
                    self.head::<S>(head, &space);
                }
            }
        }
    }
}

/// The parts of the scratch.
struct Space {
    keys: Panels,
    values: Panels,
    /// A block of scores, then of probabilities.
    scores: *mut f32,
    score_row: usize,
    /// A block of queries and of outputs, where those are not `f32`.
    query: *mut f32,
    out: *mut f32,
}

impl Forward<'_> {
    #[inline(always)]
    unsafe fn head<S: Simd>(&self, head: usize, space: &Space) {
        let Space { keys, values, scores, score_row, .. } = *space;
        let (spec, length) = (self.spec, self.task.length);
        let (dim, stride) = (spec.head_dim, spec.qkv_width());
        for first in (0..length).step_by(BLOCK) {
            let queries = first..(first + BLOCK).min(length);
            let columns = Columns::of(spec.mask, queries.clone(), length, keys.width);
            let token = self.task.first + first;
            let rows = queries.len();
            // SAFETY: rows, heads and columns lie inside the pack and the scratch.
            unsafe {
                let query = self.qkv.add(token * stride + head * dim);
                let (a, a_row) = rows_of_head::<S>(query, stride, rows, dim, space.query);
                S::call(MatrixProduct {
                    rows,
                    a,
                    a_row,
                    a_step: 1,
                    b: keys,
                    depth: 0..dim,
                    columns: columns.first..columns.end,
                    c: scores,
                    c_row: score_row,
                    start: Start::Zero,
                });
                for query in queries.clone() {
                    let line = scores.add((query - first) * score_row);
                    let visible = spec.mask.visible(query, length);
                    clear_outside(line, &columns, &visible);
                    let place = (self.task.first + query) * spec.heads + head;
                    let key = spec.dropout.map(|dropout| (dropout, dropout.row_key(place)));
                    *self.log_sums.at(place) = softmax::<S>(
                        line.add(visible.start - columns.first),
                        visible,
                        spec.scale,
                        key,
                    );
                }
                let at = token * spec.width() + head * dim;
                let out = Rows::new(self.out, at, spec.width(), dim, space.out);
                S::call(MatrixProduct {
                    rows,
                    a: scores,
                    a_row: score_row,
                    a_step: 1,
                    b: values,
                    depth: columns.first..columns.end,
                    columns: 0..dim,
                    c: out.data,
                    c_row: out.stride,
                    start: Start::Zero,
                });
                out.finish::<S>(rows, dim);
            }
        }
    }
}

/// Turns scores into probabilities, with dropout, and returns the logarithm of their sum before
/// it was divided out.
///
/// # Safety
/// The machine supports `S` and `scores` is valid for as many numbers as keys are visible.
#[inline(always)]
unsafe fn softmax<S: Simd>(
    scores: *mut f32,
    visible: Range<usize>,
    scale: f32,
    dropout: Option<(Dropout, RowKey)>,
) -> f32 {
    let count = visible.len();
    // SAFETY: the caller's promise.
    unsafe {
        let by = S::splat(scale);
        let lowest = S::splat(f32::MIN);
        let mut greatest = lowest;
        let mut i = 0;
        while i + S::LANES <= count {
            greatest = S::max(greatest, S::mul(S::load(scores.add(i)), by));
            i += S::LANES;
        }
        let mut top = S::greatest(greatest);
        while i < count {
            top = top.max(*scores.add(i) * scale);
            i += 1;
        }
        let shift = S::splat(top);
        let mut sum = S::splat(0.0);
        for i in (0..count).step_by(S::LANES) {
            let left = count - i;
            let x = S::sub(S::mul(S::load_upto(scores.add(i), left), by), shift);
            let e = simd::exp::<S>(x);
            S::store_upto(scores.add(i), left, e);
            // reload, so that lanes past the end count as zero
            sum = S::add(sum, if left < S::LANES { S::load_first(scores.add(i), left) } else { e });
        }
        let sum = S::sum(sum);
        let share = S::splat(1.0 / sum);
        for i in (0..count).step_by(S::LANES) {
            let left = count - i;
            let mut p = S::mul(S::load_upto(scores.add(i), left), share);
            if let Some((dropout, key)) = dropout {
                p = S::mul(p, factors::<S>(dropout, key, visible.start + i));
            }
            S::store_upto(scores.add(i), left, p);
        }
        top + sum.ln()
    }
}
