//! Gated activations: `activation(first half) · second half` of each row.

use super::linear::{activate, derivative};
use super::parallel::{self, SharedMut, uninitialised};
use crate::Activation;
use crate::simd::{Kernel, Level, Simd, launch};

/// Rows of a chunk.
const CHUNK: usize = 32;

/// From `[rows, 2 * width]` to `[rows, width]`.
pub(crate) fn forward(level: Level, x: &[f32], width: usize, activation: Activation) -> Vec<f32> {
    let rows = x.len() / (2 * width).max(1);
    let mut y = uninitialised(rows * width);
    run(level, x, None, &mut y, width, activation);
    y
}

/// The gradient of `x`, from that of the output.
pub(crate) fn backward(
    level: Level,
    x: &[f32],
    dy: &[f32],
    width: usize,
    activation: Activation,
) -> Vec<f32> {
    assert_eq!(2 * dy.len(), x.len(), "gated: lengths");
    let mut dx = uninitialised(x.len());
    run(level, x, Some(dy), &mut dx, width, activation);
    dx
}

fn run(
    level: Level,
    x: &[f32],
    dy: Option<&[f32]>,
    out: &mut [f32],
    width: usize,
    activation: Activation,
) {
    assert!(x.len().is_multiple_of((2 * width).max(1)), "gated: length");
    let rows = x.len() / (2 * width).max(1);
    let columns = if dy.is_some() { 2 * width } else { width };
    assert_eq!(out.len(), rows * columns, "gated: length of the result");
    let to = SharedMut::new(out);
    parallel::for_each(rows.div_ceil(CHUNK), x.len() * 8, |chunk| {
        let start = chunk * CHUNK;
        let kernel = Rows {
            count: CHUNK.min(rows - start),
            width,
            activation,
            x: x[start * 2 * width..].as_ptr(),
            dy: dy.map(|dy| dy[start * width..].as_ptr()),
            out: to.at(start * columns),
        };
        // SAFETY: the level is supported, lengths were checked, chunks are disjoint rows.
        unsafe { launch(level, kernel) };
    });
}

struct Rows {
    count: usize,
    width: usize,
    activation: Activation,
    x: *const f32,
    /// The gradient of the output; with it `out` takes the gradient of `x`.
    dy: Option<*const f32>,
    out: *mut f32,
}

impl Kernel for Rows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = self.width;
        for row in 0..self.count {
            for column in (0..width).step_by(S::LANES) {
                let (at, left) = (2 * row * width + column, width - column);
                let half_at = row * width + column;
                // SAFETY: the caller passes buffers that hold these rows.
                unsafe {
                    let gate = S::load_upto(self.x.add(at), left);
                    let value = S::load_upto(self.x.add(at + width), left);
                    let activated = activate::<S>(self.activation, gate);
                    if let Some(dy) = self.dy {
                        let dy = S::load_upto(dy.add(half_at), left);
                        let slope = derivative::<S>(self.activation, gate);
                        let dgate = S::mul(S::mul(dy, value), slope);
                        S::store_upto(self.out.add(at), left, dgate);
                        S::store_upto(self.out.add(at + width), left, S::mul(dy, activated));
                    } else {
                        let y = S::mul(activated, value);
                        S::store_upto(self.out.add(half_at), left, y);
                    }
                }
            }
        }
    }
}
