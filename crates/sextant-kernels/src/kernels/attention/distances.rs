//! The projections of the embeddings of distances, laid out for the products of [`relative`](super::relative).

use super::super::floats::{FloatMut, FloatVec, Floats, copy_line};
use super::super::parallel::{self, Room, SharedMut};
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{AttentionSpec, Precision, RelativePositions};

/// The most lanes that a vector of any level has.
pub(super) const LANES: usize = 16;

/// The sides, in the order of their parts in a row of the table: first the query projections, which keys are
/// multiplied by, then the key projections, which queries are multiplied by.
pub(super) const OF_KEYS: usize = 0;
pub(super) const OF_QUERIES: usize = 1;

/// The projections of distances, laid out for products.
pub(super) struct Distances {
    spec: AttentionSpec,
    /// Tokens of the longest row.
    longest: usize,
    /// The row of the table for each distance, for ascending distances from `1 - longest` on.
    rows: Vec<usize>,
    /// For each head and side, a right factor of `[head_dim][width]` whose columns are the distances.
    turned: Vec<f32>,
    width: usize,
    /// For each head and side, a right factor of `[distances][stride]` whose depth is the distances.
    upright: Vec<f32>,
    stride: usize,
}

/// The projections of one head and side, and where their gradient is summed.
#[derive(Clone, Copy)]
pub(super) struct Side {
    /// Tokens of the longest row of the pack.
    pub(super) longest: usize,
    pub(super) dim: usize,
    /// The projections as `[dim][width]`, whose columns are the distances.
    pub(super) turned: *const f32,
    pub(super) width: usize,
    /// The projections as `[distances][stride]`, whose depth is the distances, and their gradient.
    pub(super) upright: *const f32,
    pub(super) stride: usize,
    pub(super) gradient: *mut f32,
}

impl Distances {
    /// Lays out a table that has the rows which a row of the pack with `longest` tokens can use.
    pub(super) fn new(
        level: Level,
        table: Floats<'_>,
        positions: RelativePositions,
        longest: usize,
        spec: &AttentionSpec,
    ) -> Self {
        let used = positions.used(longest);
        let furthest = longest as isize - 1;
        let rows: Vec<usize> =
            (-furthest..=furthest).map(|distance| positions.row(distance) - used.start()).collect();
        assert_eq!(table.len(), used.count() * 2 * spec.width(), "relative positions: table");
        let stride = spec.head_dim.next_multiple_of(LANES);
        // The width has room for reading a whole vector from any distance on. Lines whose length is a multiple
        // of a page would compete for a few sets of the cache, so multiples of 256 numbers are avoided.
        let mut width = (rows.len() + LANES - 1).next_multiple_of(LANES);
        if width.is_multiple_of(256) {
            width += LANES;
        }
        let sides = 2 * spec.heads;
        let mut upright = Room::new(sides * rows.len() * stride);
        let mut turned = Room::new(sides * spec.head_dim * width);
        let (to_upright, to_turned) = (upright.shared(), turned.shared());
        parallel::for_each(sides, sides * rows.len() * spec.head_dim, |index| {
            let (head, side) = (index / 2, index % 2);
            let lay_out = LayOut {
                table,
                table_row: 2 * spec.width(),
                column: side * spec.width() + head * spec.head_dim,
                rows: &rows,
                reversed: side == OF_QUERIES,
                dim: spec.head_dim,
                upright: to_upright.at(index * rows.len() * stride),
                stride,
                turned: to_turned.at(index * spec.head_dim * width),
                width,
            };
            // SAFETY: the table has all rows that `rows` names, as was checked above. Both rooms have a part
            // for each head and side, and this task alone writes the parts at `index`.
            unsafe { launch(level, lay_out) };
        });
        // SAFETY: the tasks cover both sides of all heads, and each writes its whole parts, with zeros as padding,
        // so every number was written.
        let (upright, turned) = unsafe { (upright.filled(), turned.filled()) };
        Self { spec: *spec, longest, rows, turned, width, upright, stride }
    }

    /// The number of elements of the gradient of one head.
    pub(super) fn gradient_len(&self) -> usize {
        2 * self.rows.len() * self.stride
    }

    /// A side of a head. `gradient` is where the head's gradient is summed; it may be null in a forward pass,
    /// which sums none.
    pub(super) fn side(&self, head: usize, side: usize, gradient: *mut f32) -> Side {
        let index = 2 * head + side;
        Side {
            longest: self.longest,
            dim: self.spec.head_dim,
            turned: self.turned[index * self.spec.head_dim * self.width..].as_ptr(),
            width: self.width,
            upright: self.upright[index * self.rows.len() * self.stride..].as_ptr(),
            stride: self.stride,
            gradient: gradient.wrapping_add(side * self.rows.len() * self.stride),
        }
    }

    /// The gradient of the table in the given format, from the sums of each chunk and head, `[chunks][heads]`,
    /// which are ordered by distance.
    pub(super) fn collect(&self, level: Level, sums: &[f32], format: Precision) -> FloatVec {
        let (dim, heads) = (self.spec.head_dim, self.spec.heads);
        let rows = self.rows.last().map_or(0, |last| last + 1);
        let mut table = vec![0.0; rows * 2 * self.spec.width()];
        let to = SharedMut::new(&mut table);
        parallel::for_each(2 * heads, sums.len(), |index| {
            let (head, side) = (index / 2, index % 2);
            for chunk in sums.chunks_exact(heads * self.gradient_len()) {
                let of_head = &chunk[head * self.gradient_len()..][..self.gradient_len()];
                let of_side = &of_head[side * self.rows.len() * self.stride..];
                for (at, from) in
                    of_side.chunks_exact(self.stride).take(self.rows.len()).enumerate()
                {
                    let at = if side == OF_QUERIES { self.rows.len() - 1 - at } else { at };
                    let column = side * self.spec.width() + head * dim;
                    let start = self.rows[at] * 2 * self.spec.width() + column;
                    for (i, x) in from[..dim].iter().enumerate() {
                        // SAFETY: the row is one of the table's `rows`, and the columns of this head and side are
                        // written by this task alone.
                        unsafe { *to.at(start + i) += x };
                    }
                }
            }
        });
        FloatVec::F32(table).into_format(level, format)
    }
}

/// A kernel that lays out the projections of one side of one head.
struct LayOut<'a> {
    table: Floats<'a>,
    table_row: usize,
    column: usize,
    rows: &'a [usize],
    /// Whether own tokens are queries. `rows` is ordered by query position minus key position, and the layout by
    /// the position of the other token minus that of the own token, so then the order is reversed.
    reversed: bool,
    dim: usize,
    upright: *mut f32,
    stride: usize,
    turned: *mut f32,
    width: usize,
}

impl Kernel for LayOut<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let Self { rows, dim, upright, stride, turned, width, .. } = self;
        // SAFETY: the caller promises a table that has all `rows`, and room for both results, `rows.len()` lines
        // of `stride` numbers and `dim` lines of `width` numbers, which nothing else accesses. `turn` reads the
        // first `dim` numbers of each line of `upright` and writes `rows.len()` numbers of each line of `turned`.
        unsafe {
            upright.write_bytes(0, rows.len() * stride);
            turned.write_bytes(0, dim * width);
            for at in 0..rows.len() {
                let row = rows[if self.reversed { rows.len() - 1 - at } else { at }];
                let from = self.table.at(row * self.table_row + self.column);
                let to = FloatMut::F32(SharedMut::from(upright));
                copy_line(simd, from, to, at * stride, dim);
            }
            turn(simd, upright, stride, [rows.len(), dim], turned, width);
        }
    }
}

/// Transposes a matrix of `rows` by `columns`: `to[c * to_row + r] = from[r * from_row + c]`.
///
/// # Safety
/// The pointers are valid for both matrices, which do not overlap.
#[inline(always)]
pub(super) unsafe fn turn<S: Simd>(
    simd: S,
    from: *const f32,
    from_row: usize,
    [rows, columns]: [usize; 2],
    to: *mut f32,
    to_row: usize,
) {
    let n = S::LANES;
    let mut lines = [0.0f32; LANES * LANES];
    let mut turned = [0.0f32; LANES * LANES];
    for row in (0..rows).step_by(n) {
        for column in (0..columns).step_by(n) {
            let (height, width) = (n.min(rows - row), n.min(columns - column));
            // SAFETY: the caller promises pointers that are valid for both matrices, of which this block is a
            // part. The arrays hold a square of `LANES` by `LANES` numbers, the largest block of any level. Of a
            // block at an edge, only the `height` by `width` numbers inside the matrices are read and written.
            unsafe {
                let from = from.add(row * from_row + column);
                let to = to.add(column * to_row + row);
                if height == n && width == n {
                    simd.transpose(from, from_row, to, to_row);
                    continue;
                }
                for i in 0..height {
                    let line = simd.load_upto(from.add(i * from_row), width);
                    simd.store(lines[i * n..].as_mut_ptr(), line);
                }
                simd.transpose(lines.as_ptr(), n, turned.as_mut_ptr(), n);
                for j in 0..width {
                    let line = simd.load(turned[j * n..].as_ptr());
                    simd.store_upto(to.add(j * to_row), height, line);
                }
            }
        }
    }
}
