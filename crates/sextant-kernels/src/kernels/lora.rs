//! `y = x · w + scale · (dropout(x) · a) · b + bias` with a frozen `w`, and its gradients.

use super::dropout;
use super::gemm::{self, Epilogue, Init, Matrix, Packed, Product};
use super::parallel::uninitialised;
use crate::Dropout;
use crate::simd::Level;

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
    /// `scale · b`: small, so that scaling it costs less than scaling a product.
    fn scaled(&self) -> Vec<f32> {
        self.b.iter().map(|b| self.scale * b).collect()
    }
}

/// `a · b` for row-major matrices, either of which may be turned.
fn product<P: Product>(
    level: Level,
    [rows, depth, columns]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
) -> Vec<f32> {
    let packed = Packed::<P>::new(level, b, depth, columns);
    let mut c = uninitialised(rows * columns);
    gemm::multiply(rows, a, &packed, Init::Zero, &mut c, Epilogue::NONE);
    c
}

/// `y`, and `dropout(x) · a`, which the backward pass needs.
pub(crate) fn forward<P: Product>(
    level: Level,
    rows: usize,
    x: &[f32],
    weight: &Packed<P>,
    bias: Option<&[f32]>,
    factors: Factors<'_>,
) -> (Vec<f32>, Vec<f32>) {
    let (inputs, outputs, rank) = (weight.depth(), weight.columns(), factors.rank);
    let mut y = uninitialised(rows * outputs);
    let whole = Matrix::rows(x, inputs);
    gemm::multiply(rows, whole, weight, bias.into(), &mut y, Epilogue::NONE);
    let dropped = factors.dropout.map(|dropout| dropout::apply(level, x, inputs, dropout));
    let x = Matrix::rows(dropped.as_deref().unwrap_or(x), inputs);
    let low = product::<P>(level, [rows, inputs, rank], x, Matrix::rows(factors.a, rank));
    let b = factors.scaled();
    let b = Packed::<P>::new(level, Matrix::rows(&b, outputs), rank, outputs);
    let from = Matrix::rows(&low, rank);
    gemm::multiply(rows, from, &b, Init::Accumulate, &mut y, Epilogue::NONE);
    (y, low)
}

/// The gradients of `x`, where it is wanted, of `a` and of `b`.
pub(crate) struct Gradients {
    pub(crate) x: Option<Vec<f32>>,
    pub(crate) a: Vec<f32>,
    pub(crate) b: Vec<f32>,
}

/// `low` is what [`forward`] kept; `turned` packs the transpose of the weight when the gradient of
/// `x` is wanted.
pub(crate) fn backward<P: Product>(
    level: Level,
    x: &[f32],
    low: &[f32],
    turned: Option<&Packed<P>>,
    factors: Factors<'_>,
    dy: &[f32],
) -> Gradients {
    let Factors { a, rank, dropout, .. } = factors;
    let (rows, inputs) = (low.len() / rank, a.len() / rank);
    let outputs = factors.b.len() / rank;
    assert!(
        x.len() == rows * inputs && dy.len() == rows * outputs,
        "lora_linear: length of the gradient"
    );
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
    let x = Matrix::rows(dropped.as_deref().unwrap_or(x), inputs).transposed();
    let dlow_rows = Matrix::rows(&dlow, rank);
    let da = product::<P>(level, [inputs, rows, rank], x, dlow_rows);
    let dx = turned.map(|turned| {
        let a_turned = Matrix::rows(a, rank).transposed();
        let mut dx = product::<P>(level, [rows, rank, inputs], dlow_rows, a_turned);
        if let Some(dropout) = dropout {
            dx = dropout::apply(level, &dx, inputs, dropout);
        }
        gemm::multiply(rows, dy_rows, turned, Init::Accumulate, &mut dx, Epilogue::NONE);
        dx
    });
    Gradients { x: dx, a: da, b: db }
}
