//! `y = x · w + scale · (dropout(x) · a) · b + bias` with a frozen `w`, and its gradients. The term with the
//! low-rank factors `a` and `b` may be absent.

use super::floats::{FloatVec, Floats};
use super::frozen::{self, Base};
use super::gemm::{self, Epilogue, Init, Matrix, Packed, Product};
use super::{dropout, frozen::Side};
use crate::simd::Level;
use crate::{Activation, Dropout, Precision};

/// The low-rank factors: `a` is `[inputs, rank]`, `b` is `[rank, outputs]`.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) b: &'a [f32],
    pub(crate) rank: usize,
    pub(crate) scale: f32,
    pub(crate) dropout: Option<Dropout>,
}

impl Factors<'_> {
    /// `scale · b`. The factor is small, so that scaling it costs less than scaling a product.
    fn scaled(&self) -> Vec<f32> {
        self.b.iter().map(|b| self.scale * b).collect()
    }
}

/// `a · b` as row-major numbers; either factor may be transposed.
fn product<P: Product>(
    level: Level,
    [rows, depth, columns]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
) -> Vec<f32> {
    let packed = Packed::<P>::new(level, b, depth, columns);
    gemm::product(rows, a, &packed, None, Precision::F32, Epilogue::NONE).into_f32(level)
}

/// Returns `y` in the given format, and, if there are factors, `dropout(x) · a`, which the backward pass needs.
pub(crate) fn forward<P: Product>(
    level: Level,
    rows: usize,
    x: Floats<'_>,
    base: Base<'_>,
    bias: Option<&[f32]>,
    factors: Option<Factors<'_>>,
    format: Precision,
) -> (FloatVec, Option<Vec<f32>>) {
    let [inputs, outputs] = base.dims;
    let mut y = frozen::product::<P>(level, rows, x, base, Side::Weight, bias, Activation::None);
    let low = factors.map(|factors| {
        let rank = factors.rank;
        let dropped = factors.dropout.map(|dropout| dropout::apply(level, x, inputs, dropout));
        let x = Matrix::rows(dropped.as_ref().map_or(x, FloatVec::floats), inputs);
        let low = product::<P>(level, [rows, inputs, rank], x, Matrix::rows(factors.a, rank));
        let b = factors.scaled();
        let b = Packed::<P>::new(level, Matrix::rows(&b, outputs), rank, outputs);
        let from = Matrix::rows(&low, rank);
        gemm::multiply(rows, from, &b, Init::Accumulate, &mut y, Epilogue::NONE);
        low
    });
    (FloatVec::F32(y).into_format(level, format), low)
}

/// The gradient of `x`, in its format, if it was asked for, and the gradients of `a` and `b`, if there are
/// factors.
pub(crate) struct Gradients {
    pub(crate) x: Option<FloatVec>,
    pub(crate) factors: Option<[Vec<f32>; 2]>,
}

/// Computes the gradients from `dy`, the gradient of `y`. The factors come with the `dropout(x) · a` that
/// [`forward`] returned; `to_x` asks for the gradient of `x`.
pub(crate) fn backward<P: Product>(
    level: Level,
    x: Floats<'_>,
    base: Base<'_>,
    factors: Option<(Factors<'_>, &[f32])>,
    to_x: bool,
    dy: Floats<'_>,
) -> Gradients {
    let [inputs, outputs] = base.dims;
    let rows = x.len() / inputs;
    assert!(
        x.len() == rows * inputs && dy.len() == rows * outputs,
        "frozen_linear: length of the gradient"
    );
    let format = x.format();
    let Some((factors, low)) = factors else {
        let dx = to_x.then(|| {
            let dx =
                frozen::product::<P>(level, rows, dy, base, Side::Turned, None, Activation::None);
            FloatVec::F32(dx).into_format(level, format)
        });
        return Gradients { x: dx, factors: None };
    };
    let Factors { a, rank, dropout, .. } = factors;
    let dy_rows = Matrix::rows(dy, outputs);
    let b = factors.scaled();
    let b_turned = Matrix::rows(&b, outputs).transposed();
    let dlow = product::<P>(level, [rows, outputs, rank], dy_rows, b_turned);
    let low_turned = Matrix::rows(low, rank).transposed();
    let mut db = product::<P>(level, [rank, rows, outputs], low_turned, dy_rows);
    for db in &mut db {
        *db *= factors.scale;
    }
    let dropped = dropout.map(|dropout| dropout::apply(level, x, inputs, dropout));
    let x = Matrix::rows(dropped.as_ref().map_or(x, FloatVec::floats), inputs).transposed();
    let dlow_rows = Matrix::rows(&dlow, rank);
    let da = product::<P>(level, [inputs, rows, rank], x, dlow_rows);
    let dx = to_x.then(|| {
        let a_turned = Matrix::rows(a, rank).transposed();
        let mut dx = product::<P>(level, [rows, rank, inputs], dlow_rows, a_turned);
        if let Some(dropout) = dropout {
            dx = dropout::apply(level, Floats::F32(&dx), inputs, dropout).into_f32(level);
        }
        frozen::add_product::<P>(level, rows, dy, base, Side::Turned, &mut dx);
        FloatVec::F32(dx).into_format(level, format)
    });
    Gradients { x: dx, factors: Some([da, db]) }
}
