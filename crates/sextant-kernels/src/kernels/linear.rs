//! `y = activation(x · w + b)` and its gradients.

use super::activation::derivative;
use super::floats::{FloatMut, FloatPtr, FloatRoom, FloatVec, Floats};
use super::gemm::{self, Epilogue, Matrix, Packed, Product};
use super::parallel;
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{Activation, Precision};
use std::ops::Deref;

/// The sizes of a linear layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// The inputs of a forward pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forward<'a> {
    pub(crate) rows: usize,
    pub(crate) x: Floats<'a>,
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    /// The format of the results.
    pub(crate) format: Precision,
}

/// Returns `y`. If `keep` is set and there is an activation, it also returns the values before the
/// activation, which the backward pass needs.
pub(crate) fn forward<P: Product>(
    of: Forward<'_>,
    weight: &Packed<P>,
    keep: bool,
) -> (FloatVec, Option<FloatVec>) {
    let Forward { rows, x, bias, activation, format } = of;
    assert_eq!(x.len(), rows * weight.depth(), "linear: length of the input");
    let mut y = (keep && activation != Activation::None)
        .then(|| FloatRoom::new(format, rows * weight.columns()));
    let epilogue = Epilogue { activation, output: y.as_mut().map(FloatRoom::shared) };
    let x = Matrix::rows(x, weight.depth());
    let z = gemm::product(rows, x, weight, bias, format, epilogue);
    match y {
        // SAFETY: the product is complete, and together with each block of it the epilogue wrote the same
        // block of `y`, so every number of `y` was written.
        Some(y) => (unsafe { y.filled() }, Some(z)),
        None => (z, None),
    }
}

/// The gradients that are wanted; all others are `None`. The gradient of `x` has the format of `x`.
#[derive(Debug, Default)]
pub(crate) struct Gradients {
    pub(crate) x: Option<FloatVec>,
    pub(crate) weight: Option<Vec<f32>>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// Which gradients [`backward`] computes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) x: bool,
    pub(crate) weight: bool,
    pub(crate) bias: bool,
}

/// Computes gradients from `dy`, the gradient of `y`. `z` is what [`forward`] kept. `turned` returns the
/// packed transpose of the weight, which the gradient of `x` needs; it is dropped as soon as that is computed.
#[expect(clippy::too_many_arguments, reason = "a layer has this many parts")]
pub(crate) fn backward<P: Product, W: Deref<Target = Packed<P>>>(
    level: Level,
    size: Size,
    x: Floats<'_>,
    turned: impl FnOnce() -> W,
    activation: Activation,
    z: Option<Floats<'_>>,
    dy: Floats<'_>,
    wanted: Wanted,
) -> Gradients {
    let Size { rows, inputs, outputs } = size;
    assert_eq!(dy.len(), rows * outputs, "linear: length of the gradient");
    let (dz, bias) = activation_backward(level, outputs, activation, z, dy, wanted.bias);
    let dz = Matrix::rows(dz.as_ref().map_or(dy, FloatVec::floats), outputs);
    let dx = wanted.x.then(|| gemm::product(rows, dz, &turned(), None, x.format(), Epilogue::NONE));
    let dw = wanted.weight.then(|| {
        let packed = Packed::<P>::new(level, dz, rows, outputs);
        let x = Matrix::rows(x, inputs).transposed();
        let dw = gemm::product(inputs, x, &packed, None, Precision::F32, Epilogue::NONE);
        dw.into_f32(level)
    });
    Gradients { x: dx, weight: dw, bias }
}

/// The sum of each column.
pub(crate) fn column_sums(level: Level, columns: usize, dy: Floats<'_>) -> Vec<f32> {
    let (_, sums) = activation_backward(level, columns, Activation::None, None, dy, true);
    sums.unwrap_or_default()
}

/// The number of rows whose column sums one task computes.
const CHUNK: usize = 128;

/// `dy · activation'(z)`, or `None` if there is no activation, and the sums of its columns if they are
/// wanted.
fn activation_backward(
    level: Level,
    columns: usize,
    activation: Activation,
    z: Option<Floats<'_>>,
    dy: Floats<'_>,
    sums_wanted: bool,
) -> (Option<FloatVec>, Option<Vec<f32>>) {
    assert_eq!(z.is_some(), activation != Activation::None, "linear: kept values");
    if z.is_none() && !sums_wanted {
        return (None, None);
    }
    assert!(z.is_none_or(|z| z.len() == dy.len()), "linear: kept values");
    let rows = dy.len() / columns.max(1);
    let mut dz = z.map(|z| FloatRoom::new(z.format(), z.len()));
    let to = dz.as_mut().map(FloatRoom::shared);
    let parts = parallel::map(rows.div_ceil(CHUNK), dy.len() * 8, |chunk| {
        let mut sums = if sums_wanted { vec![0.0; columns] } else { Vec::new() };
        let start = chunk * CHUNK;
        let kernel = ActivationBackward {
            rows: start..(start + CHUNK).min(rows),
            columns,
            activation,
            dy: dy.at(0),
            z: z.map(|z| z.at(0)),
            dz: to,
            sums: sums_wanted.then_some(&mut sums[..]),
        };
        // SAFETY: `dy` and, if they are given, `z` and `dz` have one length, which is enough for all rows:
        // `dz` was made as long as `z`, and `z` was compared with `dy`. `sums` has a number for each column.
        // The kernel accesses only the rows of its chunk; chunks are disjoint, so nothing else accesses the
        // rows that it writes.
        unsafe { launch(level, kernel) };
        sums
    });
    let sums = sums_wanted.then(|| {
        let mut total = vec![0.0; columns];
        for part in parts {
            total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        total
    });
    // SAFETY: `dz` is given only if `backward` is the caller, which has checked that `dy`, and thus `dz`,
    // consists of whole rows. The chunks cover all rows, and the kernel writes every column of its rows, so
    // every number was written.
    let dz = dz.map(|dz| unsafe { dz.filled() });
    (dz, sums)
}

struct ActivationBackward<'a> {
    rows: std::ops::Range<usize>,
    columns: usize,
    activation: Activation,
    dy: FloatPtr,
    z: Option<FloatPtr>,
    dz: Option<FloatMut>,
    sums: Option<&'a mut [f32]>,
}

impl Kernel for ActivationBackward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let mut sums = self.sums;
        for row in self.rows {
            for column in (0..self.columns).step_by(S::LANES) {
                let (at, left) = (row * self.columns + column, self.columns - column);
                // SAFETY: the caller promises buffers that hold these rows, and that nothing else accesses
                // what is written. The numbers from `at` on belong to the row, of which `left` remain; loads
                // and stores access at most `left` numbers. `sums` has a number for each column, so `left`
                // of them remain from `column` on.
                unsafe {
                    let mut d = self.dy.load(simd, at, left);
                    if let (Some(z), Some(dz)) = (self.z, self.dz) {
                        let z = z.load(simd, at, left);
                        d = simd.mul(d, derivative(simd, self.activation, z));
                        dz.store(simd, at, left, d);
                    }
                    if let Some(sums) = &mut sums {
                        let sum = sums[column..].as_mut_ptr();
                        simd.store_upto(sum, left, simd.add(simd.load_upto(sum, left), d));
                    }
                }
            }
        }
    }
}
