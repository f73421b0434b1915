//! `y = LayerNorm(dropout(x) + residual) · gamma + beta` and its gradients, one pass each; and
//! RMSNorm, which is the same without taking the mean away and without `beta`.

use super::floats::{FloatMut, FloatPtr, FloatVec, Floats};
use super::parallel::{self, Scratch, SharedMut, uninitialised};
use crate::dropout::RowKey;
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{Dropout, Precision};

/// Rows of a chunk.
const CHUNK: usize = 64;

/// What the forward pass is of; without `beta` it is RMSNorm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    pub(crate) x: Floats<'a>,
    pub(crate) residual: Option<Floats<'a>>,
    pub(crate) gamma: &'a [f32],
    pub(crate) beta: Option<&'a [f32]>,
    pub(crate) eps: f32,
    pub(crate) dropout: Option<Dropout>,
    /// Of the result.
    pub(crate) format: Precision,
}

/// What the forward pass computes.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) y: FloatVec,
    /// The sum, centred and divided by its standard deviation; `f32` where `x` and `y` both are.
    pub(crate) normalised: FloatVec,
    /// The reciprocal of the standard deviation of each row.
    pub(crate) scale: Vec<f32>,
}

/// bf16 where one of both is.
fn coarser(one: Precision, other: Precision) -> Precision {
    match (one, other) {
        (Precision::F32, Precision::F32) => Precision::F32,
        _ => Precision::Bf16,
    }
}

/// The norm of each row of a sum.
pub(crate) fn forward(level: Level, input: Input<'_>) -> Forward {
    let Input { x, residual, gamma, beta, eps, dropout, format } = input;
    let (width, count) = (gamma.len(), x.len());
    assert!(
        beta.is_none_or(|beta| beta.len() == width)
            && count.is_multiple_of(width.max(1))
            && residual.is_none_or(|residual| residual.len() == count),
        "layer_norm: lengths"
    );
    let rows = count / width.max(1);
    let mut out = Forward {
        y: FloatVec::uninitialised(format, count),
        normalised: FloatVec::uninitialised(coarser(x.format(), format), count),
        scale: uninitialised(rows),
    };
    let (y, normalised) = (out.y.shared(), out.normalised.shared());
    let scale = SharedMut::new(&mut out.scale);
    parallel::for_each(rows.div_ceil(CHUNK), count * 8, |chunk| {
        let start = chunk * CHUNK;
        let kernel = ForwardRows {
            rows: start..(start + CHUNK).min(rows),
            width,
            x: x.at(0),
            residual: residual.map(|residual| residual.at(0)),
            gamma: gamma.as_ptr(),
            beta: beta.map(<[f32]>::as_ptr),
            eps,
            dropout,
            y,
            normalised,
            scale,
        };
        // SAFETY: the level is supported, lengths were checked, chunks are disjoint rows.
        unsafe { launch(level, kernel) };
    });
    out
}

struct ForwardRows {
    rows: std::ops::Range<usize>,
    width: usize,
    x: FloatPtr,
    residual: Option<FloatPtr>,
    gamma: *const f32,
    beta: Option<*const f32>,
    eps: f32,
    dropout: Option<Dropout>,
    y: FloatMut,
    normalised: FloatMut,
    scale: SharedMut<f32>,
}

/// The factors of dropout for a vector of columns.
///
/// # Safety
/// The machine supports `S`.
#[inline(always)]
pub(crate) unsafe fn factors<S: Simd>(dropout: Dropout, key: RowKey, column: usize) -> S::V {
    // SAFETY: passed on to the caller.
    unsafe { S::dropout(key, column as u32, dropout.threshold(), dropout.keep_scale()) }
}

impl Kernel for ForwardRows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = self.width;
        let per_row = 1.0 / width as f32;
        let mut owned = Scratch::take(width);
        let line = owned.start();
        for row in self.rows.clone() {
            let start = row * width;
            let key = self.dropout.map(|dropout| (dropout, dropout.row_key(row)));
            // SAFETY: the caller passes buffers that hold these rows; the scratch holds one.
            unsafe {
                let mut total = S::splat(0.0);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let mut a = self.x.load::<S>(start + column, left);
                    if let Some((dropout, key)) = key {
                        a = S::mul(a, factors::<S>(dropout, key, column));
                    }
                    if let Some(residual) = self.residual {
                        a = S::add(a, residual.load::<S>(start + column, left));
                    }
                    S::store_upto(line.add(column), left, a);
                    total = S::add(total, a);
                }
                let mean = match self.beta {
                    Some(_) => S::splat(S::sum(total) * per_row),
                    None => S::splat(0.0),
                };
                let mut squares = S::splat(0.0);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let centred = S::sub(S::load_upto(line.add(column), left), mean);
                    squares = if left >= S::LANES {
                        S::fma(centred, centred, squares)
                    } else {
                        // lanes past the end would add the square of the mean
                        let mut lanes = [0.0f32; 16];
                        S::store_first(lanes.as_mut_ptr(), left, centred);
                        let centred = S::load(lanes.as_ptr());
                        S::fma(centred, centred, squares)
                    };
                }
                let scale = 1.0 / (S::sum(squares) * per_row + self.eps).sqrt();
                *self.scale.at(row) = scale;
                let scale = S::splat(scale);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let centred = S::sub(S::load_upto(line.add(column), left), mean);
                    let a = S::mul(centred, scale);
                    self.normalised.store::<S>(start + column, left, a);
                    let gamma = S::load_upto(self.gamma.add(column), left);
                    let beta = match self.beta {
                        Some(beta) => S::load_upto(beta.add(column), left),
                        None => S::splat(0.0),
                    };
                    self.y.store::<S>(start + column, left, S::fma(a, gamma, beta));
                }
            }
        }
    }
}

/// What the backward pass is from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saved<'a> {
    pub(crate) normalised: Floats<'a>,
    pub(crate) scale: &'a [f32],
    pub(crate) gamma: &'a [f32],
    /// Whether the mean was taken away: true for LayerNorm, false for RMSNorm.
    pub(crate) centred: bool,
    pub(crate) dropout: Option<Dropout>,
    /// The formats of `x`, and of the residual, where there was one.
    pub(crate) x: Precision,
    pub(crate) residual: Option<Precision>,
}

/// The gradients; that of the residual is `sum`, that of `x` is `x`, or `sum` where both are the same.
#[derive(Debug)]
pub(crate) struct Gradients {
    pub(crate) sum: FloatVec,
    pub(crate) x: Option<FloatVec>,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

/// From the gradient of `y`.
pub(crate) fn backward(level: Level, dy: Floats<'_>, saved: Saved<'_>) -> Gradients {
    let Saved { normalised, scale, gamma, centred, dropout, x: format, residual } = saved;
    let (width, rows) = (gamma.len(), scale.len());
    assert!(dy.len() == rows * width && normalised.len() == dy.len(), "layer_norm: lengths");
    let of_sum = residual.unwrap_or(format);
    let mut sum = FloatVec::uninitialised(of_sum, dy.len());
    let apart = dropout.is_some() || of_sum != format;
    let mut x = apart.then(|| FloatVec::uninitialised(format, dy.len()));
    let to_sum = sum.shared();
    let to_x = x.as_mut().map(FloatVec::shared);
    let parts = parallel::map(rows.div_ceil(CHUNK), dy.len() * 8, |chunk| {
        let (mut dgamma, mut dbeta) = (vec![0.0; width], vec![0.0; width]);
        let start = chunk * CHUNK;
        let kernel = BackwardRows {
            rows: start..(start + CHUNK).min(rows),
            dy: dy.at(0),
            normalised: normalised.at(0),
            scale,
            gamma,
            centred,
            dropout,
            sum: to_sum,
            x: to_x,
            dgamma: &mut dgamma,
            dbeta: &mut dbeta,
        };
        // SAFETY: the level is supported, lengths were checked, chunks are disjoint rows.
        unsafe { launch(level, kernel) };
        (dgamma, dbeta)
    });
    let (mut dgamma, mut dbeta) = (vec![0.0; width], vec![0.0; width]);
    for (g, b) in parts {
        dgamma.iter_mut().zip(g).for_each(|(t, p)| *t += p);
        dbeta.iter_mut().zip(b).for_each(|(t, p)| *t += p);
    }
    Gradients { sum, x, gamma: dgamma, beta: dbeta }
}

struct BackwardRows<'a> {
    rows: std::ops::Range<usize>,
    dy: FloatPtr,
    normalised: FloatPtr,
    scale: &'a [f32],
    gamma: &'a [f32],
    centred: bool,
    dropout: Option<Dropout>,
    sum: FloatMut,
    x: Option<FloatMut>,
    dgamma: &'a mut [f32],
    dbeta: &'a mut [f32],
}

impl Kernel for BackwardRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = self.gamma.len();
        let per_row = 1.0 / width as f32;
        let (gamma, dgamma) = (self.gamma.as_ptr(), self.dgamma.as_mut_ptr());
        let dbeta = self.dbeta.as_mut_ptr();
        for row in self.rows.clone() {
            let start = row * width;
            let key = self.dropout.map(|dropout| (dropout, dropout.row_key(row)));
            // SAFETY: the caller passes buffers that hold these rows; lanes past the end load as
            // zero and so add nothing to the sums.
            unsafe {
                let (mut total, mut product) = (S::splat(0.0), S::splat(0.0));
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let dy = self.dy.load::<S>(start + column, left);
                    let normalised = self.normalised.load::<S>(start + column, left);
                    let g = S::mul(dy, S::load_upto(gamma.add(column), left));
                    total = S::add(total, g);
                    product = S::fma(g, normalised, product);
                    let (to_gamma, to_beta) = (dgamma.add(column), dbeta.add(column));
                    let sum = S::fma(dy, normalised, S::load_upto(to_gamma, left));
                    S::store_upto(to_gamma, left, sum);
                    S::store_upto(to_beta, left, S::add(S::load_upto(to_beta, left), dy));
                }
                let total = if self.centred { S::sum(total) * per_row } else { 0.0 };
                let total = S::splat(total);
                let product = S::splat(S::sum(product) * per_row);
                let scale = S::splat(self.scale[row]);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let dy = self.dy.load::<S>(start + column, left);
                    let normalised = self.normalised.load::<S>(start + column, left);
                    let g = S::mul(dy, S::load_upto(gamma.add(column), left));
                    let d = S::fnma(normalised, product, S::sub(g, total));
                    let d = S::mul(scale, d);
                    self.sum.store::<S>(start + column, left, d);
                    if let Some(x) = self.x {
                        let dx = match key {
                            Some((dropout, key)) => S::mul(d, factors::<S>(dropout, key, column)),
                            None => d,
                        };
                        x.store::<S>(start + column, left, dx);
                    }
                }
            }
        }
    }
}
