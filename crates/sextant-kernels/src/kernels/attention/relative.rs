//! Disentangled relative positions (DeBERTa, He et al. 2021): what the projections of distances add to
//! scores, and the gradients of that.
//!
//! A *side* is the part of the table that one kind of token is multiplied with: queries with the key
//! projections of distances, keys with the query projections. Its *own* tokens are the ones multiplied,
//! the *other* ones those that they are compared with. The projections are laid out by the place of the
//! other token minus that of the own one, so that the product of an own token with all of them is a line in
//! which consecutive other tokens follow each other, starting one number earlier for each later own token:
//! a matrix of own by other tokens lies in the lines as it is, with rows that are one number closer than
//! the lines are.

use std::ops::Range;

use super::super::gemm::Start;
use super::distances::{LANES, Side, turn};
use super::{BLOCK, MatrixProduct, Panels};
use crate::simd::Simd;

/// Rows of `f32` vectors, and the distance from one to the next.
pub(super) type Vectors = (*const f32, usize);

/// Own tokens against others.
struct Block {
    own: Range<usize>,
    other: Range<usize>,
}

impl Block {
    /// Distances between them.
    #[inline(always)]
    fn distances(&self) -> usize {
        self.own.len() + self.other.len() - 1
    }

    /// From one line to the next.
    #[inline(always)]
    fn line(&self) -> usize {
        line(self.own.len(), self.other.len())
    }

    /// The first of the distances among those of a side.
    #[inline(always)]
    fn first(&self, longest: usize) -> usize {
        longest + self.other.start - self.own.end
    }

    /// Where the matrix of own by other tokens starts in the lines; its rows are `self.line() - 1` apart.
    #[inline(always)]
    fn matrix(&self, lines: *mut f32) -> *mut f32 {
        lines.wrapping_add(self.own.len() - 1)
    }
}

/// From one line to the next.
fn line(own: usize, other: usize) -> usize {
    (own + other - 1).next_multiple_of(LANES)
}

/// Numbers of the lines that a block of queries needs in a row.
pub(super) fn lines(length: usize) -> usize {
    let block = BLOCK.min(length);
    block * line(block, length)
}

/// Starts the scores of a block of queries with what positions add to them; `scores` has `score_row` numbers
/// for each query, starting with the first of the keys. `key` starts with the row's first token.
///
/// # Safety
/// The pointers are valid for queries, keys, scores and [`lines`].
#[expect(clippy::too_many_arguments, reason = "two factors, a scratch and a result")]
#[inline(always)]
pub(super) unsafe fn start_scores<S: Simd>(
    simd: S,
    [of_keys, of_queries]: [Side; 2],
    (query, query_row): Vectors,
    queries: &Range<usize>,
    (key, key_row): Vectors,
    keys: &Range<usize>,
    lines: *mut f32,
    (scores, score_row): (*mut f32, usize),
) {
    // SAFETY: the caller promises pointers that are valid for the queries, the keys and their scores, and
    // lines for each block.
    unsafe {
        for first in keys.clone().step_by(BLOCK) {
            let own = first..(first + BLOCK).min(keys.end);
            let block = Block { own, other: queries.clone() };
            of_keys.multiply(simd, key.add(first * key_row), key_row, &block, lines);
            let to = scores.add(first - keys.start);
            let shape = [block.own.len(), block.other.len()];
            turn(simd, block.matrix(lines), block.line() - 1, shape, to, score_row);
        }
        let block = Block { own: queries.clone(), other: keys.clone() };
        of_queries.multiply(simd, query, query_row, &block, lines);
        for row in 0..queries.len() {
            let from = block.matrix(lines).add(row * (block.line() - 1));
            let to = scores.add(row * score_row);
            for i in (0..keys.len()).step_by(S::LANES) {
                let left = keys.len() - i;
                let sum =
                    simd.add(simd.load_upto(to.add(i), left), simd.load_upto(from.add(i), left));
                simd.store_upto(to.add(i), left, sum);
            }
        }
    }
}

/// The rows that gradients of a block are computed from and go to.
pub(super) struct BlockGradients {
    /// Queries of the block and keys of the row as right factors with tokens for depth.
    pub(super) query: Panels,
    pub(super) key: Panels,
    /// Where the gradients of the block's queries and of the row's keys are summed.
    pub(super) dquery: (*mut f32, usize),
    pub(super) dkey: (*mut f32, usize),
    /// Gradients of scores.
    pub(super) dscores: *const f32,
    pub(super) score_row: usize,
    /// A scratch of [`lines`].
    pub(super) lines: *mut f32,
}

impl BlockGradients {
    /// Adds what positions give to the gradients of a block of queries, of keys and of the table.
    ///
    /// # Safety
    /// The pointers are valid for the queries, the keys and their scores, and nothing else writes there.
    #[inline(always)]
    pub(super) unsafe fn add<S: Simd>(
        &self,
        simd: S,
        [of_keys, of_queries]: [Side; 2],
        queries: &Range<usize>,
        keys: &Range<usize>,
    ) {
        let (lines, score_row) = (self.lines, self.score_row);
        // SAFETY: the caller promises pointers that are valid for the queries, the keys and their scores, and
        // lines for each block.
        unsafe {
            let block = Block { own: queries.clone(), other: keys.clone() };
            lines.write_bytes(0, block.own.len() * block.line());
            for row in 0..queries.len() {
                let to = block.matrix(lines).add(row * (block.line() - 1));
                let from = self.dscores.add(row * score_row);
                to.copy_from_nonoverlapping(from, keys.len());
            }
            of_queries.differentiate(simd, &block, lines, self.query, 0, self.dquery);
            for first in keys.clone().step_by(BLOCK) {
                let own = first..(first + BLOCK).min(keys.end);
                let block = Block { own, other: queries.clone() };
                lines.write_bytes(0, block.own.len() * block.line());
                let from = self.dscores.add(first - keys.start);
                let shape = [queries.len(), block.own.len()];
                turn(simd, from, score_row, shape, block.matrix(lines), block.line() - 1);
                let dkey = (self.dkey.0.add(first * self.dkey.1), self.dkey.1);
                of_keys.differentiate(simd, &block, lines, self.key, first, dkey);
            }
        }
    }
}

impl Side {
    /// The lines of a block's own tokens, which start at `own`.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(
        self,
        simd: S,
        own: *const f32,
        own_row: usize,
        block: &Block,
        lines: *mut f32,
    ) {
        let from = self.turned.wrapping_add(block.first(self.longest));
        let product = MatrixProduct {
            rows: block.own.len(),
            a: own,
            a_row: own_row,
            a_step: 1,
            b: Panels::rows::<S>(from, self.width, block.distances()),
            depth: 0..self.dim,
            columns: 0..block.distances(),
            c: lines,
            c_row: block.line(),
            start: Start::Zero,
        };
        // SAFETY: the caller promises own tokens and room for their lines; the distances of a block within a
        // row are among those of the longest one, after which a vector can be read.
        unsafe { simd.call(product) };
    }

    /// From the gradients of lines those of own tokens and of distances, added to what is there; `own` has own
    /// tokens for depth, the block's first at `depth`.
    #[inline(always)]
    unsafe fn differentiate<S: Simd>(
        self,
        simd: S,
        block: &Block,
        lines: *const f32,
        own: Panels,
        depth: usize,
        (down, down_row): (*mut f32, usize),
    ) {
        let first = block.first(self.longest) * self.stride;
        let upright = self.upright.wrapping_add(first);
        let to_own = MatrixProduct {
            rows: block.own.len(),
            a: lines,
            a_row: block.line(),
            a_step: 1,
            b: Panels::rows::<S>(upright, self.stride, self.dim),
            depth: 0..block.distances(),
            columns: 0..self.dim,
            c: down,
            c_row: down_row,
            start: Start::Accumulate,
        };
        let to_distances = MatrixProduct {
            rows: block.distances(),
            a: lines,
            a_row: 1,
            a_step: block.line(),
            b: own,
            depth: depth..depth + block.own.len(),
            columns: 0..self.dim,
            c: self.gradient.wrapping_add(first),
            c_row: self.stride,
            start: Start::Accumulate,
        };
        // SAFETY: the caller promises lines and own tokens with their gradients; the distances of a block
        // within a row are among those of the longest one, and their gradient is this task's alone.
        unsafe {
            simd.call(to_own);
            simd.call(to_distances);
        }
    }
}
