//! Multiplication by a counter-based dropout mask; its gradient is the same multiplication.

use super::layer_norm::factors;
use super::parallel::{self, SharedMut, uninitialised};
use crate::Dropout;
use crate::simd::{Kernel, Level, Simd, launch};

/// Rows of a chunk.
const CHUNK: usize = 64;

pub(crate) fn apply(level: Level, x: &[f32], columns: usize, dropout: Dropout) -> Vec<f32> {
    assert!(x.len().is_multiple_of(columns.max(1)), "dropout: length");
    let rows = x.len() / columns.max(1);
    let mut y = uninitialised(x.len());
    let to = SharedMut::new(&mut y);
    parallel::for_each(rows.div_ceil(CHUNK), x.len() * 4, |chunk| {
        let start = chunk * CHUNK;
        let kernel = Rows {
            range: start..(start + CHUNK).min(rows),
            columns,
            x: x.as_ptr(),
            y: to,
            dropout,
        };
        // SAFETY: the level is supported; chunks are disjoint rows of buffers of one length.
        unsafe { launch(level, kernel) };
    });
    y
}

struct Rows {
    range: std::ops::Range<usize>,
    columns: usize,
    x: *const f32,
    y: SharedMut<f32>,
    dropout: Dropout,
}

impl Kernel for Rows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for row in self.range {
            let key = self.dropout.row_key(row);
            for column in (0..self.columns).step_by(S::LANES) {
                let (at, left) = (row * self.columns + column, self.columns - column);
                // SAFETY: the caller passes buffers that hold these rows.
                unsafe {
                    let x = S::load_upto(self.x.add(at), left);
                    let y = S::mul(x, factors::<S>(self.dropout, key, column));
                    S::store_upto(self.y.at(at), left, y);
                }
            }
        }
    }
}
