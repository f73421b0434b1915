use std::ops::Range;

use super::super::floats::{FloatMut, FloatPtr, FloatRoom, FloatVec};
use super::super::gemm::{F32, Start, panel_width};
use super::super::layer_norm::factors;
use super::super::parallel::{self, Room, Scratch, SharedMut};
use super::distances::{Distances, OF_KEYS, OF_QUERIES, Side};
use super::relative::{self, Vectors};
use super::{
    BLOCK, Columns, Input, MatrixProduct, Panels, Rows, Scores, Task, clear_outside, rows_of_head,
    tasks, work,
};
use crate::dropout::RowKey;
use crate::simd::{self, Kernel, Level, Simd, launch};
use crate::{AttentionSpec, Dropout};

/// Returns the output `[tokens, heads * head_dim]`, in the format of `qkv`, and the logarithm of each softmax's
/// sum, `[tokens, heads]`.
pub(crate) fn forward(level: Level, input: Input<'_>) -> (FloatVec, Vec<f32>) {
    let Input { qkv, segments, spec, scores } = input;
    let tokens = segments.tokens();
    assert_eq!(qkv.len(), tokens * spec.qkv_width(), "attention: length");
    let mut out = FloatRoom::new(qkv.format(), tokens * spec.width());
    let mut log_sums = Room::new(tokens * spec.heads);
    let (to_out, to_sums) = (out.shared(), log_sums.shared());
    let distances = match scores {
        Scores::Relative(table, positions) => {
            Some(Distances::new(level, table, positions, segments.max_len(), spec))
        }
        Scores::Plain | Scores::Capped(_) => None,
    };
    let tasks = tasks(segments, spec);
    parallel::for_each(tasks.len(), work(segments, spec), |task| {
        let kernel = Forward {
            task: &tasks[task],
            spec,
            cap: scores.cap(),
            distances: distances.as_ref(),
            qkv: qkv.at(0),
            out: to_out,
            log_sums: to_sums,
        };
        // SAFETY: `qkv` has the length of the whole pack, as was checked above, and so have the output and the
        // sums. Each task writes other heads or other rows of the pack.
        unsafe { launch(level, kernel) };
    });
    // SAFETY: the tasks cover all heads of all rows of the pack, and each writes the output and the sum of its
    // heads for every token of its row, so every number was written.
    unsafe { (out.filled(), log_sums.filled()) }
}

struct Forward<'a> {
    task: &'a Task,
    spec: &'a AttentionSpec,
    cap: Option<f32>,
    distances: Option<&'a Distances>,
    qkv: FloatPtr,
    out: FloatMut,
    log_sums: SharedMut<f32>,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let (spec, length) = (self.spec, self.task.length);
        let (dim, stride) = (spec.head_dim, spec.qkv_width());
        let key_width = panel_width::<S, F32>(length);
        let score_row = length.next_multiple_of(key_width);
        let (keys, values) = (Panels::size::<S>(dim, length), Panels::size::<S>(length, dim));
        let block = BLOCK.min(length);
        let (lines, key_rows) = match self.distances {
            Some(_) => (relative::lines(length), length * dim),
            None => (0, 0),
        };
        let size = keys + values + block * (score_row + 2 * dim) + lines + key_rows;
        let mut owned = Scratch::take(size);
        let scratch = owned.start();
        for kv_head in self.task.kv_heads.clone() {
            // SAFETY: the caller promises that `qkv` can be read for the whole pack, so the head's keys and
            // values can be. The scratch has room for the parts that follow each other in it: both packed
            // matrices, a block of scores, of queries and of outputs, and, with relative positions, the lines
            // and the keys. No other task accesses the part of the output that this one writes, as the caller
            // promises too.
            unsafe {
                let row = self.qkv.add(self.task.first * stride);
                let key = row.add((spec.heads + kv_head) * dim);
                let value = row.add((spec.heads + spec.kv_heads + kv_head) * dim);
                let keys_at = scratch;
                let values_at = scratch.add(keys);
                let keys = Panels::pack(simd, keys_at, key, [1, stride], dim, length);
                let values = Panels::pack(simd, values_at, value, [stride, 1], length, dim);
                let scores = values_at.add(Panels::size::<S>(length, dim));
                let query = scores.add(block * score_row);
                let out = query.add(block * dim);
                let lines_at = out.add(block * dim);
                let relative = self.distances.map(|distances| Relative {
                    sides: [OF_KEYS, OF_QUERIES]
                        .map(|side| distances.side(kv_head, side, std::ptr::null_mut())),
                    keys: rows_of_head(simd, key, stride, length, dim, lines_at.add(lines)),
                    lines: lines_at,
                });
                let space = Space { keys, values, scores, score_row, query, out, relative };
                for head in kv_head * spec.group()..(kv_head + 1) * spec.group() {
                    self.head(simd, head, &space);
                }
            }
        }
    }
}

/// The parts of the scratch of one key head.
struct Space {
    keys: Panels,
    values: Panels,
    /// A block of scores, then of probabilities.
    scores: *mut f32,
    score_row: usize,
    /// A block of queries and of outputs, where those are not `f32`.
    query: *mut f32,
    out: *mut f32,
    relative: Option<Relative>,
}

/// What relative positions need besides the scores.
struct Relative {
    sides: [Side; 2],
    /// The keys of all tokens of the row.
    keys: Vectors,
    lines: *mut f32,
}

impl Forward<'_> {
    /// Computes the output of one query head.
    ///
    /// # Safety
    /// The buffers hold the whole pack, and nothing else accesses the output of the task's heads in its row.
    /// The parts of `space` are those of the head's key head in this row.
    #[inline(always)]
    unsafe fn head<S: Simd>(&self, simd: S, head: usize, space: &Space) {
        let Space { keys, values, scores, score_row, .. } = *space;
        let (spec, length) = (self.spec, self.task.length);
        let (dim, stride) = (spec.head_dim, spec.qkv_width());
        for first in (0..length).step_by(BLOCK) {
            let queries = first..(first + BLOCK).min(length);
            let columns = Columns::of(spec.mask, queries.clone(), length, keys.width);
            let token = self.task.first + first;
            let rows = queries.len();
            // SAFETY: the caller promises buffers of the whole pack, of which this task alone writes its heads
            // of its row, and a scratch with room for a block. The tokens, the head and the columns are those
            // of the task's row, so they lie within the buffers, and a block has at most `BLOCK` queries.
            unsafe {
                let query = self.qkv.add(token * stride + head * dim);
                let (a, a_row) = rows_of_head(simd, query, stride, rows, dim, space.query);
                let start = match &space.relative {
                    None => Start::Zero,
                    Some(Relative { sides, keys, lines }) => {
                        let visible = columns.first..columns.end;
                        let (query, to) = ((a, a_row), (scores, score_row));
                        relative::start_scores(
                            simd, *sides, query, &queries, *keys, &visible, *lines, to,
                        );
                        Start::Accumulate
                    }
                };
                simd.call(MatrixProduct {
                    rows,
                    a,
                    a_row,
                    a_step: 1,
                    b: keys,
                    depth: 0..dim,
                    columns: columns.first..columns.end,
                    c: scores,
                    c_row: score_row,
                    start,
                });
                for query in queries.clone() {
                    let line = scores.add((query - first) * score_row);
                    let visible = spec.mask.visible(query, length);
                    clear_outside(line, &columns, &visible);
                    let place = (self.task.first + query) * spec.heads + head;
                    let key = spec.dropout.map(|dropout| (dropout, dropout.row_key(place)));
                    *self.log_sums.at(place) = softmax(
                        simd,
                        line.add(visible.start - columns.first),
                        visible,
                        spec.scale,
                        self.cap,
                        key,
                    );
                }
                let at = token * spec.width() + head * dim;
                let out = Rows::new(self.out, at, spec.width(), dim, space.out);
                simd.call(MatrixProduct {
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
                out.finish(simd, rows, dim);
            }
        }
    }
}

/// Turns the scores of one query into probabilities, with dropout, and returns the logarithm of the softmax's
/// sum, by which the exponentials of the scores were divided.
///
/// # Safety
/// `scores` is valid for a number for each visible key.
#[inline(always)]
unsafe fn softmax<S: Simd>(
    simd: S,
    scores: *mut f32,
    visible: Range<usize>,
    mut scale: f32,
    cap: Option<f32>,
    dropout: Option<(Dropout, RowKey)>,
) -> f32 {
    let count = visible.len();
    // SAFETY: the caller promises that `scores` is valid for a number for each of the `count` visible keys, and
    // no lane past them is loaded or stored.
    unsafe {
        if let Some(cap) = cap {
            let (inner, outer) = (simd.splat(scale / cap), simd.splat(cap));
            for i in (0..count).step_by(S::LANES) {
                let left = count - i;
                let share = simd.mul(simd.load_upto(scores.add(i), left), inner);
                simd.store_upto(scores.add(i), left, simd.mul(simd::tanh(simd, share), outer));
            }
            scale = 1.0;
        }
        let by = simd.splat(scale);
        // If the greatest score is infinite, its difference from itself is NaN, so the sum and all of the
        // query's probabilities become NaN. `max` may drop a NaN among the scores, but its exponential is NaN,
        // and so is the sum.
        let mut greatest = simd.splat(f32::NEG_INFINITY);
        let mut i = 0;
        while i + S::LANES <= count {
            greatest = simd.max(greatest, simd.mul(simd.load(scores.add(i)), by));
            i += S::LANES;
        }
        let mut top = simd.greatest(greatest);
        while i < count {
            top = top.max(*scores.add(i) * scale);
            i += 1;
        }
        let shift = simd.splat(top);
        let mut sum = simd.splat(0.0);
        for i in (0..count).step_by(S::LANES) {
            let left = count - i;
            let x = simd.sub(simd.mul(simd.load_upto(scores.add(i), left), by), shift);
            let e = simd::exp(simd, x);
            simd.store_upto(scores.add(i), left, e);
            // The exponentials of a partial vector are loaded again, so that lanes past the end are zero.
            sum = simd
                .add(sum, if left < S::LANES { simd.load_first(scores.add(i), left) } else { e });
        }
        let sum = simd.sum(sum);
        let share = simd.splat(1.0 / sum);
        for i in (0..count).step_by(S::LANES) {
            let left = count - i;
            let mut p = simd.mul(simd.load_upto(scores.add(i), left), share);
            if let Some((dropout, key)) = dropout {
                p = simd.mul(p, factors(simd, dropout, key, visible.start + i));
            }
            simd.store_upto(scores.add(i), left, p);
        }
        top + sum.ln()
    }
}
