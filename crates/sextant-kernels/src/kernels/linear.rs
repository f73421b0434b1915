//! `y = activation(x · w + b)` and its gradients.

use super::floats::{FloatMut, FloatPtr, FloatVec, Floats};
use super::gemm::{self, Epilogue, Init, Matrix, Packed, Product};
use super::parallel::{self, uninitialised};
use crate::simd::{self, Kernel, Level, Simd, launch};
use crate::{Activation, Precision};

/// The sizes of a linear layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// What a forward pass is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forward<'a> {
    pub(crate) rows: usize,
    pub(crate) x: Floats<'a>,
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    /// Of the results.
    pub(crate) format: Precision,
}

/// `y` and, when asked to `keep` it and there is an activation, the values before the activation,
/// which the backward pass needs.
pub(crate) fn forward<P: Product>(
    of: Forward<'_>,
    weight: &Packed<P>,
    keep: bool,
) -> (FloatVec, Option<FloatVec>) {
    let Forward { rows, x, bias, activation, format } = of;
    assert_eq!(x.len(), rows * weight.depth(), "linear: length of the input");
    let mut y = (keep && activation != Activation::None)
        .then(|| FloatVec::uninitialised(format, rows * weight.columns()));
    let epilogue = Epilogue { activation, output: y.as_mut().map(FloatVec::shared) };
    let x = Matrix::rows(x, weight.depth());
    let z = gemm::product(rows, x, weight, bias, format, epilogue);
    match y {
        Some(y) => (y, Some(z)),
        None => (z, None),
    }
}

/// The gradients that are wanted, others are `None`; that of `x` has its format.
#[derive(Debug, Default)]
pub(crate) struct Gradients {
    pub(crate) x: Option<FloatVec>,
    pub(crate) weight: Option<Vec<f32>>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// What [`backward`] is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) x: bool,
    pub(crate) weight: bool,
    pub(crate) bias: bool,
}

/// Gradients from that of `y`; `z` is what [`forward`] kept, `turned` packs the transpose of the
/// weight, which the gradient of `x` takes.
#[expect(clippy::too_many_arguments, reason = "a layer has this many parts")]
pub(crate) fn backward<'a, P: Product>(
    level: Level,
    size: Size,
    x: Floats<'_>,
    turned: impl FnOnce() -> &'a Packed<P>,
    activation: Activation,
    z: Option<Floats<'_>>,
    dy: Floats<'_>,
    wanted: Wanted,
) -> Gradients {
    let Size { rows, inputs, outputs } = size;
    assert_eq!(dy.len(), rows * outputs, "linear: length of the gradient");
    let (dz, bias) = activation_backward(level, outputs, activation, z, dy, wanted.bias);
    let dz = Matrix::rows(dz.as_ref().map_or(dy, FloatVec::floats), outputs);
    let dx = wanted.x.then(|| gemm::product(rows, dz, turned(), None, x.format(), Epilogue::NONE));
    let dw = wanted.weight.then(|| {
        let packed = Packed::<P>::new(level, dz, rows, outputs);
        let mut dw = uninitialised(inputs * outputs);
        let x = Matrix::rows(x, inputs).transposed();
        gemm::multiply(inputs, x, &packed, Init::Zero, &mut dw, Epilogue::NONE);
        dw
    });
    Gradients { x: dx, weight: dw, bias }
}

/// Applies an activation to a vector.
///
/// # Safety
/// The machine supports `S`.
#[inline(always)]
pub(crate) unsafe fn activate<S: Simd>(activation: Activation, z: S::V) -> S::V {
    // SAFETY: passed on to the caller.
    unsafe {
        match activation {
            Activation::None => z,
            Activation::Gelu => simd::gelu::<S>(z),
            Activation::GeluTanh => simd::gelu_tanh::<S>(z),
            Activation::Silu => S::mul(z, simd::sigmoid::<S>(z)),
            Activation::Tanh => simd::tanh::<S>(z),
        }
    }
}

/// The derivative of an activation.
///
/// # Safety
/// The machine supports `S`.
#[inline(always)]
pub(crate) unsafe fn derivative<S: Simd>(activation: Activation, z: S::V) -> S::V {
    // SAFETY: passed on to the caller.
    unsafe {
        match activation {
            Activation::None => S::splat(1.0),
            Activation::Gelu => simd::gelu_derivative::<S>(z),
            Activation::GeluTanh => simd::gelu_tanh_derivative::<S>(z),
            Activation::Silu => simd::silu_derivative::<S>(z),
            Activation::Tanh => {
                let t = simd::tanh::<S>(z);
                S::fnma(t, t, S::splat(1.0))
            }
        }
    }
}

/// The sum of each column.
pub(crate) fn column_sums(level: Level, columns: usize, dy: Floats<'_>) -> Vec<f32> {
    let (_, sums) = activation_backward(level, columns, Activation::None, None, dy, true);
    sums.unwrap_or_default()
}

/// Rows of a chunk of column sums.
const CHUNK: usize = 128;

/// `dy · activation'(z)`, unless there is no activation, and its column sums if wanted.
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
    let mut dz = z.map(|z| FloatVec::uninitialised(z.format(), z.len()));
    let to = dz.as_mut().map(FloatVec::shared);
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
        // SAFETY: the level is supported; chunks are disjoint rows of buffers of one length.
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
    unsafe fn run<S: Simd>(self) {
        let mut sums = self.sums;
        for row in self.rows {
            for column in (0..self.columns).step_by(S::LANES) {
                let (at, left) = (row * self.columns + column, self.columns - column);
                // SAFETY: the caller passes buffers of this size.
                unsafe {
                    let mut d = self.dy.load::<S>(at, left);
                    if let (Some(z), Some(dz)) = (self.z, self.dz) {
                        let z = z.load::<S>(at, left);
                        d = S::mul(d, derivative::<S>(self.activation, z));
                        dz.store::<S>(at, left, d);
                    }
                    if let Some(sums) = &mut sums {
                        let sum = sums[column..].as_mut_ptr();
                        S::store_upto(sum, left, S::add(S::load_upto(sum, left), d));
                    }
                }
            }
        }
    }
}
