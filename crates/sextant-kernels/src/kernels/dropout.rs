//! Multiplication by a counter-based dropout mask, and the sum of its result and a residual. The gradient of
//! `x` is the same multiplication of the result's gradient in both cases.

use super::floats::{FloatMut, FloatPtr, FloatRoom, FloatVec, Floats};
use super::layer_norm::factors;
use super::parallel;
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{Dropout, Precision};

/// The number of rows of a chunk.
const CHUNK: usize = 64;

/// `dropout(x)`, in the format of `x`.
pub(crate) fn apply(level: Level, x: Floats<'_>, columns: usize, dropout: Dropout) -> FloatVec {
    sum(level, x, None, columns, Some(dropout), x.format())
}

/// `dropout(x) + residual` in the given format.
pub(crate) fn sum(
    level: Level,
    x: Floats<'_>,
    residual: Option<Floats<'_>>,
    columns: usize,
    dropout: Option<Dropout>,
    format: Precision,
) -> FloatVec {
    assert!(
        x.len().is_multiple_of(columns.max(1))
            && residual.is_none_or(|residual| residual.len() == x.len()),
        "dropout: lengths"
    );
    let rows = x.len() / columns.max(1);
    let mut out = FloatRoom::new(format, x.len());
    let to = out.shared();
    parallel::for_each(rows.div_ceil(CHUNK), x.len() * 4, |chunk| {
        let start = chunk * CHUNK;
        let kernel = Rows {
            range: start..(start + CHUNK).min(rows),
            columns,
            x: x.at(0),
            residual: residual.map(|residual| residual.at(0)),
            y: to,
            dropout,
        };
        // SAFETY: `x` and the residual have the same length, as was checked above, and the output has room for
        // as many numbers. Chunks are disjoint rows of them.
        unsafe { launch(level, kernel) };
    });
    // SAFETY: the chunks cover all rows, and each writes its rows completely, so every number was written.
    unsafe { out.filled() }
}

struct Rows {
    range: std::ops::Range<usize>,
    columns: usize,
    x: FloatPtr,
    residual: Option<FloatPtr>,
    y: FloatMut,
    dropout: Option<Dropout>,
}

impl Kernel for Rows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        for row in self.range {
            let key = self.dropout.map(|dropout| (dropout, dropout.row_key(row)));
            for column in (0..self.columns).step_by(S::LANES) {
                let (at, left) = (row * self.columns + column, self.columns - column);
                // SAFETY: the caller promises buffers that hold these rows, and that nothing else accesses
                // these rows of the output. `left` columns are left in this row, and no more are touched.
                unsafe {
                    let mut y = self.x.load(simd, at, left);
                    if let Some((dropout, key)) = key {
                        y = simd.mul(y, factors(simd, dropout, key, column));
                    }
                    if let Some(residual) = self.residual {
                        y = simd.add(y, residual.load(simd, at, left));
                    }
                    self.y.store(simd, at, left, y);
                }
            }
        }
    }
}
