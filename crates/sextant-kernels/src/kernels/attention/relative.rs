//! Disentangled relative positions (DeBERTa, He et al. 2021): the terms that the projections of distances add
//! to the scores, and the gradients of these terms.
//!
//! A *side* is the part of the table that one kind of token is multiplied by: queries are multiplied by the key
//! projections of distances, and keys by the query projections. The *own* tokens of a side are the tokens that
//! are multiplied, and the *other* tokens are those that the own tokens are compared with.
//!
//! The projections are ordered by the position of the other token minus the position of the own token. The
//! products of one own token with all projections form a *line*, in which the scores of consecutive other
//! tokens follow each other. For each later own token, they start one number earlier in its line. So the matrix
//! of own by other tokens can be read from the lines in place: the distance between its rows is one less than
//! the distance between the lines.

use std::ops::Range;

use super::super::gemm::Start;
use super::distances::{LANES, Side, turn};
use super::{BLOCK, MatrixProduct, Panels};
use crate::simd::Simd;

/// A pointer to rows of `f32` numbers, and the distance from one row to the next.
pub(super) type Vectors = (*const f32, usize);

/// A range of own tokens and the range of other tokens that they are compared with.
struct Block {
    own: Range<usize>,
    other: Range<usize>,
}

impl Block {
    /// The number of different distances between own and other tokens.
    #[inline(always)]
    fn distances(&self) -> usize {
        self.own.len() + self.other.len() - 1
    }

    /// The distance from one line to the next, in numbers.
    #[inline(always)]
    fn line(&self) -> usize {
        line(self.own.len(), self.other.len())
    }

    /// The index of the block's first distance among the distances of a side.
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

/// The distance from one line to the next, in numbers.
fn line(own: usize, other: usize) -> usize {
    (own + other - 1).next_multiple_of(LANES)
}

/// The size, in numbers, of the lines for a block of queries in a row of `length` tokens.
pub(super) fn lines(length: usize) -> usize {
    let block = BLOCK.min(length);
    block * line(block, length)
}

/// Writes the terms that relative positions add to the scores of a block of queries into `scores`, to which the
/// products of queries and keys are added later. `scores` has `score_row` numbers for each query, starting with
/// the first of the keys. `key` starts with the row's first token.
///
/// # Safety
/// The pointers are valid for the queries, the keys and the scores, and `lines` for as many numbers as [`lines`]
/// gives for the row. The task alone accesses the scores and the lines.
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
    // SAFETY: the caller promises pointers that are valid for the queries, the keys and their scores, and room
    // for the lines of a block of the row. Each block here has at most `BLOCK` own tokens, and its own and
    // other tokens are tokens of the row, so its lines fit.
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

/// The rows that the gradients of a block of queries are computed from, and those that they are added to.
pub(super) struct BlockGradients {
    /// The queries of the block and the keys of the row, as right factors whose depth is the tokens.
    pub(super) query: Panels,
    pub(super) key: Panels,
    /// Where the gradients of the block's queries and of the row's keys are summed.
    pub(super) dquery: (*mut f32, usize),
    pub(super) dkey: (*mut f32, usize),
    /// Gradients of scores.
    pub(super) dscores: *const f32,
    pub(super) score_row: usize,
    /// A scratch with as many numbers as [`lines`] gives for the row.
    pub(super) lines: *mut f32,
}

impl BlockGradients {
    /// Adds what relative positions contribute to the gradients of a block of queries, of the keys and of the
    /// distances.
    ///
    /// # Safety
    /// The pointers are valid for the queries, the keys, the gradients of their scores and the lines, and nothing
    /// else writes there.
    #[inline(always)]
    pub(super) unsafe fn add<S: Simd>(
        &self,
        simd: S,
        [of_keys, of_queries]: [Side; 2],
        queries: &Range<usize>,
        keys: &Range<usize>,
    ) {
        let (lines, score_row) = (self.lines, self.score_row);
        // SAFETY: the caller promises pointers that are valid for the queries, the keys, the gradients of their
        // scores and the lines of a block of the row. Each block here has at most `BLOCK` own tokens, and its
        // own and other tokens are tokens of the row, so its lines fit.
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
    /// Computes the lines of a block's own tokens, the first of which is at `own`.
    ///
    /// # Safety
    /// The block's own tokens can be read at `own`, and `lines` has room for their lines, which nothing else
    /// accesses. The block lies within one row of the pack.
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
        // SAFETY: the caller promises that the own tokens can be read and that there is room for their lines.
        // The distances of a block within a row are among the distances of the longest row, for which `turned`
        // has a column each, followed by enough zeros that a whole vector can be read from any column on.
        unsafe { simd.call(product) };
    }

    /// Computes the gradients of own tokens and of distances from the gradients of the lines, and adds them to
    /// `down` and to the side's gradient. `own` is a right factor whose depth is the own tokens; the block's first
    /// own token is at `depth`.
    ///
    /// # Safety
    /// The pointers are valid for the block's lines, for its own tokens and for their gradients, and so is the
    /// side's gradient. Nothing else accesses these gradients. The block lies within one row of the pack.
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
        // SAFETY: the caller promises valid lines and own tokens, and gradients of own tokens that this task
        // alone writes. The distances of a block within a row are among the distances of the longest row, for
        // which `upright` and `gradient` have a line each, and this task alone writes `gradient`.
        unsafe {
            simd.call(to_own);
            simd.call(to_distances);
        }
    }
}
