//! Gated activations: `activation(first half) · second half` of each row.

use super::activation::{activate, derivative};
use super::floats::{FloatMut, FloatPtr, FloatRoom, FloatVec, Floats};
use super::parallel;
use crate::Activation;
use crate::simd::{Kernel, Level, Simd, launch};

/// Rows of a chunk.
const CHUNK: usize = 32;

/// From `[rows, 2 * width]` to `[rows, width]`, in the format of `x`.
pub(crate) fn forward(
    level: Level,
    x: Floats<'_>,
    width: usize,
    activation: Activation,
) -> FloatVec {
    run(level, x, None, width, activation)
}

/// The gradient of `x`, in its format, from that of the output.
pub(crate) fn backward(
    level: Level,
    x: Floats<'_>,
    dy: Floats<'_>,
    width: usize,
    activation: Activation,
) -> FloatVec {
    assert_eq!(2 * dy.len(), x.len(), "gated: lengths");
    run(level, x, Some(dy), width, activation)
}

fn run(
    level: Level,
    x: Floats<'_>,
    dy: Option<Floats<'_>>,
    width: usize,
    activation: Activation,
) -> FloatVec {
    assert!(x.len().is_multiple_of((2 * width).max(1)), "gated: length");
    let rows = x.len() / (2 * width).max(1);
    let columns = if dy.is_some() { 2 * width } else { width };
    let mut out = FloatRoom::new(x.format(), rows * columns);
    let to = out.shared();
    parallel::for_each(rows.div_ceil(CHUNK), x.len() * 8, |chunk| {
        let start = chunk * CHUNK;
        let kernel = Rows {
            range: start..(start + CHUNK).min(rows),
            width,
            activation,
            x: x.at(0),
            dy: dy.map(|dy| dy.at(0)),
            out: to,
        };
        // SAFETY: the buffers hold all rows, as was checked above, and no two chunks write the same rows.
        unsafe { launch(level, kernel) };
    });
    // SAFETY: the chunks are all rows, and each writes its rows whole, with `dy` both halves of them.
    unsafe { out.filled() }
}

struct Rows {
    range: std::ops::Range<usize>,
    width: usize,
    activation: Activation,
    x: FloatPtr,
    /// The gradient of the output; with it `out` takes the gradient of `x`.
    dy: Option<FloatPtr>,
    out: FloatMut,
}

impl Kernel for Rows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let width = self.width;
        for row in self.range {
            for column in (0..width).step_by(S::LANES) {
                let (at, left) = (2 * row * width + column, width - column);
                let half_at = row * width + column;
                // SAFETY: the caller promises buffers that hold these rows, which this kernel alone writes; `left`
                // columns of each half follow.
                unsafe {
                    let gate = self.x.load(simd, at, left);
                    let value = self.x.load(simd, at + width, left);
                    let activated = activate(simd, self.activation, gate);
                    if let Some(dy) = self.dy {
                        let dy = dy.load(simd, half_at, left);
                        let slope = derivative(simd, self.activation, gate);
                        let dgate = simd.mul(simd.mul(dy, value), slope);
                        self.out.store(simd, at, left, dgate);
                        self.out.store(simd, at + width, left, simd.mul(dy, activated));
                    } else {
                        let y = simd.mul(activated, value);
                        self.out.store(simd, half_at, left, y);
                    }
                }
            }
        }
    }
}
