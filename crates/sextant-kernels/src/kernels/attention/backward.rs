use std::ops::Range;

use super::super::floats::{FloatMut, FloatRoom, FloatVec, Floats};
use super::super::gemm::{F32, Start, panel_width};
use super::super::parallel::{self, Room, Scratch};
use super::distances::{Distances, OF_KEYS, OF_QUERIES, Side};
use super::line::score_gradients;
use super::relative::{self, BlockGradients, Vectors};
use super::{
    BLOCK, Columns, Input, MatrixProduct, Panels, Rows, Scores, Task, chunks, clear_outside,
    rows_of_head, tasks, work,
};
use crate::AttentionSpec;
use crate::simd::{Kernel, Level, Simd, launch};

/// The inputs and results of the forward pass, which the backward pass needs.
#[derive(Clone, Copy)]
pub(crate) struct Saved<'a> {
    pub(crate) input: Input<'a>,
    pub(crate) out: Floats<'a>,
    pub(crate) log_sums: &'a [f32],
}

/// The gradients of an attention's inputs, each in the format of its input.
pub(crate) struct Gradients {
    pub(crate) qkv: FloatVec,
    /// The gradient of the table of relative positions, if there is one.
    pub(crate) table: Option<FloatVec>,
}

/// Computes the gradients of the inputs from `dout`, the gradient of the output.
pub(crate) fn backward(level: Level, saved: Saved<'_>, dout: Floats<'_>) -> Gradients {
    let Input { qkv, segments, spec, scores } = saved.input;
    let tokens = segments.tokens();
    assert!(
        qkv.len() == tokens * spec.qkv_width()
            && saved.out.len() == tokens * spec.width()
            && saved.log_sums.len() == tokens * spec.heads
            && dout.len() == saved.out.len(),
        "attention: lengths"
    );
    let mut gradient = FloatRoom::new(qkv.format(), qkv.len());
    let to = gradient.shared();
    let work = 3 * work(segments, spec);
    let cap = scores.cap();
    let table = if let Scores::Relative(table, positions) = scores {
        let distances = Distances::new(level, table, positions, segments.max_len(), spec);
        // Within a chunk, a head's gradients of distances are summed over rows in the order of the pack, so
        // that the sums do not depend on the number of threads.
        let (chunks, len) = (chunks(segments, spec), distances.gradient_len());
        let mut sums = Room::new(chunks.len() * spec.heads * len);
        let to_sums = sums.shared();
        parallel::for_each(chunks.len() * spec.heads, 4 * work, |index| {
            let (chunk, head) = (&chunks[index / spec.heads], index % spec.heads);
            let sums: *mut f32 = to_sums.at(index * len);
            // SAFETY: the room has `len` numbers for each chunk and head, and only this task writes the part at
            // `index`.
            unsafe { sums.write_bytes(0, len) };
            for row in chunk.clone().map(|row| segments.range(row)) {
                let task = Task { first: row.start, length: row.len(), kv_heads: head..head + 1 };
                let relative = Some((&distances, sums));
                let kernel =
                    Backward { task: &task, spec, cap, relative, saved, dout, gradient: to };
                // SAFETY: all buffers have the length of the whole pack, as was checked above. Chunks have
                // different rows, so no other task writes this head's gradients of this row, nor `sums`,
                // which holds `len` initialized numbers.
                unsafe { launch(level, kernel) };
            }
        });
        // SAFETY: the tasks cover every chunk and head, and each has initialized its whole part with zeros.
        let sums = unsafe { sums.filled() };
        Some(distances.collect(level, &sums, table.format()))
    } else {
        let tasks = tasks(segments, spec);
        parallel::for_each(tasks.len(), work, |task| {
            let task = &tasks[task];
            let kernel = Backward { task, spec, cap, relative: None, saved, dout, gradient: to };
            // SAFETY: all buffers have the length of the whole pack, as was checked above, and each task writes
            // the gradients of other heads or other rows of the pack.
            unsafe { launch(level, kernel) };
        });
        None
    };
    // SAFETY: the tasks cover all heads of all rows of the pack, and each writes the gradients of its heads'
    // queries, keys and values for every token of its row, so every number was written.
    Gradients { qkv: unsafe { gradient.filled() }, table }
}

struct Backward<'a> {
    task: &'a Task,
    spec: &'a AttentionSpec,
    cap: Option<f32>,
    /// The projections of distances, and where their gradients for the task's head are summed.
    relative: Option<(&'a Distances, *mut f32)>,
    saved: Saved<'a>,
    dout: Floats<'a>,
    gradient: FloatMut,
}

/// The parts of the scratch of one key head.
struct Workspace {
    /// Keys and values as right factors of `[head_dim][length]`, whose columns are the tokens.
    keys: Panels,
    values: Panels,
    /// Keys as a right factor of `[length][head_dim]`, whose depth is the tokens.
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
    relative: Option<Relative>,
}

/// What relative positions need besides the scores.
struct Relative {
    sides: [Side; 2],
    /// The keys of all tokens of the row, as rows.
    keys: Vectors,
    lines: *mut f32,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let (spec, length) = (self.spec, self.task.length);
        let (dim, stride) = (spec.head_dim, spec.qkv_width());
        let block = BLOCK.min(length);
        let score_row = length.next_multiple_of(panel_width::<S, F32>(length));
        let turned = Panels::size::<S>(dim, length);
        let upright = Panels::size::<S>(length, dim);
        let block_rows = Panels::size::<S>(block, dim);
        let blocks = 2 * block_rows + 2 * block * score_row + 3 * block * dim;
        let (lines, keys) = match self.relative {
            Some(_) => (relative::lines(length), length * dim),
            None => (0, 0),
        };
        let size = 2 * turned + upright + blocks + 2 * length * dim + lines + keys;
        let mut owned = Scratch::take(size);
        let scratch = owned.start();
        for kv_head in self.task.kv_heads.clone() {
            // SAFETY: the caller promises buffers of the whole pack, of which this task alone writes its heads
            // of its row, so the head's keys and values can be read and their gradients written. `size` counts
            // all parts that follow each other in the scratch, so each part has its room. Where the gradient is
            // bf16, `dkeys` and `dvalues` are in the scratch, with `length * dim` numbers each.
            unsafe {
                let first = self.task.first * stride;
                let row = self.saved.input.qkv.at(first);
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
                let lines_at = dvalues.add(length * dim);
                let relative = self.relative.map(|(distances, gradient)| Relative {
                    sides: [OF_KEYS, OF_QUERIES]
                        .map(|side| distances.side(kv_head, side, gradient)),
                    keys: rows_of_head(simd, key, stride, length, dim, lines_at.add(lines)),
                    lines: lines_at,
                });
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
                    relative,
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
    /// Computes the gradients of a block of queries of one head, and adds what these queries contribute to the
    /// gradients of the keys, of the values and of the distances.
    ///
    /// # Safety
    /// The buffers hold the whole pack, and nothing else accesses the gradients of the task's heads in its row.
    /// The parts of `space` are those of the head's key head in this row, and `queries` are queries of the row.
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
        // SAFETY: the caller promises buffers of the whole pack, of which this task alone writes its heads of its
        // row, and a scratch with room for a block. The tokens, the head and the columns are those of the task's
        // row, so they lie within the buffers.
        unsafe {
            let query = self.saved.input.qkv.at(query_at);
            let dout = self.dout.at(token * width + head * dim);
            let query_rows = Panels::pack(simd, space.queries, query, [stride, 1], rows, dim);
            let dout_rows = Panels::pack(simd, space.dout, dout, [width, 1], rows, dim);
            let query = rows_of_head(simd, query, stride, rows, dim, space.query);
            let dout = rows_of_head(simd, dout, width, rows, dim, space.dout_rows);
            let keys = columns.first..columns.end;
            let mut start = Start::Zero;
            if let Some(relative) = &space.relative {
                let Relative { sides, keys: key, lines } = *relative;
                let to = (space.probabilities, space.score_row);
                relative::start_scores(simd, sides, query, &queries, key, &keys, lines, to);
                start = Start::Accumulate;
            }
            for ((a, a_row), b, c, start) in [
                (query, space.keys, space.probabilities, start),
                (dout, space.values, space.dscores, Start::Zero),
            ] {
                simd.call(MatrixProduct {
                    rows,
                    a,
                    a_row,
                    a_step: 1,
                    b,
                    depth: 0..dim,
                    columns: keys.clone(),
                    c,
                    c_row: space.score_row,
                    start,
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
                    rows: keys.len(),
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
                depth: keys.clone(),
                columns: 0..dim,
                c: dquery.data,
                c_row: dquery.stride,
                start: Start::Zero,
            });
            if let Some(relative) = &space.relative {
                let gradients = BlockGradients {
                    query: query_rows,
                    key: space.key_rows,
                    dquery: (dquery.data, dquery.stride),
                    dkey: (space.dkeys.data, space.dkeys.stride),
                    dscores: space.dscores,
                    score_row: space.score_row,
                    lines: relative.lines,
                };
                gradients.add(simd, relative.sides, &queries, &keys);
            }
            dquery.finish(simd, rows, dim);
        }
    }

    /// Turns one query's line of products into probabilities, and the gradients of these probabilities into
    /// gradients of the products of the query and the keys, before scaling.
    ///
    /// # Safety
    /// The buffers hold the whole pack, `query` is a query of the task's row, and the scratch holds the block of
    /// queries to which it belongs, with a number for each of the `columns` in line `line`.
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
        // SAFETY: the caller promises that the query is one of this task's row, so that its output, its output
        // gradient and its softmax sum lie within the buffers of the pack. It also promises that the scratch
        // is that of the query's block, so that both lines have a number for each of the `columns`, which
        // `visible` is a part of.
        unsafe {
            let probabilities = space.probabilities.add(line * space.score_row);
            let dscores = space.dscores.add(line * space.score_row);
            clear_outside(probabilities, columns, &visible);
            clear_outside(dscores, columns, &visible);
            // The sum Σ p · dp over the keys equals the dot product of the output and its gradient.
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
                (spec.scale, self.cap),
                *self.saved.log_sums.as_ptr().add(place),
                simd.sum(common),
                dropout,
            );
        }
    }
}
