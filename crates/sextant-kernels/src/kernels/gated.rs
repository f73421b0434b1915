//! Gated activations: `activation(first half) · second half` of each row.

use super::activation::{activate, derivative};
use super::floats::{FloatMut, FloatPtr, FloatRoom, FloatVec, Floats};
use super::parallel;
use crate::Activation;
use crate::simd::{Kernel, Level, Simd, launch};

/// The number of rows of a chunk.
const CHUNK: usize = 32;

/// Computes `[rows, width]` from `x` of `[rows, 2 * width]`, in the format of `x`.
pub(crate) fn forward(
    level: Level,
    x: Floats<'_>,
    width: usize,
    activation: Activation,
) -> FloatVec {
    run(level, x, None, width, activation)
}

/// Computes the gradient of `x`, in its format, from `dy`, the gradient of the output.
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
        // SAFETY: `x`, and `dy` if there is one, have `rows` rows, as was checked above or by `backward`; the
        // output has room for as many. Each chunk writes other rows of it.
        unsafe { launch(level, kernel) };
    });
    // SAFETY: the chunks cover all rows, and each writes its rows completely (with `dy`, both halves of them), so
    // every number was written.
    unsafe { out.filled() }
}

struct Rows {
    range: std::ops::Range<usize>,
    width: usize,
    activation: Activation,
    x: FloatPtr,
    /// The gradient of the output. If it is given, `out` receives the gradient of `x`, else the output.
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
                // SAFETY: the caller promises buffers that hold these rows, and that nothing else accesses
                // these rows of the output. `left` columns of each half are left in this row, and no more are
                // touched.
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
