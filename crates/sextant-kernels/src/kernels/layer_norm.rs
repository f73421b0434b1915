//! `y = LayerNorm(dropout(x) + residual) · gamma + beta` and its gradients, each in one pass; and RMSNorm,
//! which is the same without subtracting the mean and without `beta`.

use super::floats::{FloatMut, FloatPtr, FloatRoom, FloatVec, Floats};
use super::parallel::{self, Room, Scratch, SharedMut};
use crate::dropout::RowKey;
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{Dropout, Precision};

/// The number of rows of a chunk.
const CHUNK: usize = 64;

/// The inputs of the forward pass. Without `beta`, the operation is RMSNorm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    pub(crate) x: Floats<'a>,
    pub(crate) residual: Option<Floats<'a>>,
    pub(crate) gamma: &'a [f32],
    pub(crate) beta: Option<&'a [f32]>,
    pub(crate) eps: f32,
    pub(crate) dropout: Option<Dropout>,
    /// The format of the result.
    pub(crate) format: Precision,
}

/// What the forward pass computes.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) y: FloatVec,
    /// The sum, centred and divided by its standard deviation. It is `f32` if both `x` and `y` are, else bf16.
    pub(crate) normalised: FloatVec,
    /// The reciprocal of the standard deviation of each row.
    pub(crate) scale: Vec<f32>,
}

/// The less exact of two formats.
fn coarser(one: Precision, other: Precision) -> Precision {
    match (one, other) {
        (Precision::F32, Precision::F32) => Precision::F32,
        _ => Precision::Bf16,
    }
}

/// Normalises each row of `dropout(x) + residual`.
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
    let mut all_y = FloatRoom::new(format, count);
    let mut all_normalised = FloatRoom::new(coarser(x.format(), format), count);
    let mut scales = Room::new(rows);
    let (y, normalised) = (all_y.shared(), all_normalised.shared());
    let scale = scales.shared();
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
        // SAFETY: all buffers have `rows` rows, as was checked above or as they were made, and each chunk writes
        // other rows of them.
        unsafe { launch(level, kernel) };
    });
    // SAFETY: the chunks cover all rows, and each writes its rows completely, so every number was written.
    unsafe {
        Forward { y: all_y.filled(), normalised: all_normalised.filled(), scale: scales.filled() }
    }
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

/// The factors by which dropout multiplies a vector of columns, from `column` on: 0 or the scale of kept
/// elements.
#[inline(always)]
pub(crate) fn factors<S: Simd>(simd: S, dropout: Dropout, key: RowKey, column: usize) -> S::V {
    simd.dropout(key, column as u32, dropout.threshold(), dropout.keep_scale())
}

impl Kernel for ForwardRows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let width = self.width;
        let per_row = 1.0 / width as f32;
        let mut owned = Scratch::take(width);
        let line = owned.start();
        for row in self.rows.clone() {
            let start = row * width;
            let key = self.dropout.map(|dropout| (dropout, dropout.row_key(row)));
            // SAFETY: the caller promises buffers that hold these rows, and that nothing else accesses the rows
            // of the results. `gamma` and `beta` have `width` numbers and the scratch holds as many, and no
            // lane past them is touched. The array holds a vector of any level.
            unsafe {
                let mut total = simd.splat(0.0);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let mut a = self.x.load(simd, start + column, left);
                    if let Some((dropout, key)) = key {
                        a = simd.mul(a, factors(simd, dropout, key, column));
                    }
                    if let Some(residual) = self.residual {
                        a = simd.add(a, residual.load(simd, start + column, left));
                    }
                    simd.store_upto(line.add(column), left, a);
                    total = simd.add(total, a);
                }
                let mean = match self.beta {
                    Some(_) => simd.splat(simd.sum(total) * per_row),
                    None => simd.splat(0.0),
                };
                let mut squares = simd.splat(0.0);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let centred = simd.sub(simd.load_upto(line.add(column), left), mean);
                    squares = if left >= S::LANES {
                        simd.fma(centred, centred, squares)
                    } else {
                        // Lanes past the end hold minus the mean, whose square must not be added.
                        let mut lanes = [0.0f32; 16];
                        simd.store_first(lanes.as_mut_ptr(), left, centred);
                        let centred = simd.load(lanes.as_ptr());
                        simd.fma(centred, centred, squares)
                    };
                }
                let scale = 1.0 / (simd.sum(squares) * per_row + self.eps).sqrt();
                *self.scale.at(row) = scale;
                let scale = simd.splat(scale);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let centred = simd.sub(simd.load_upto(line.add(column), left), mean);
                    let a = simd.mul(centred, scale);
                    self.normalised.store(simd, start + column, left, a);
                    let gamma = simd.load_upto(self.gamma.add(column), left);
                    let beta = match self.beta {
                        Some(beta) => simd.load_upto(beta.add(column), left),
                        None => simd.splat(0.0),
                    };
                    self.y.store(simd, start + column, left, simd.fma(a, gamma, beta));
                }
            }
        }
    }
}

/// What the backward pass needs from the forward pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saved<'a> {
    pub(crate) normalised: Floats<'a>,
    pub(crate) scale: &'a [f32],
    pub(crate) gamma: &'a [f32],
    /// Whether the mean was subtracted: true for LayerNorm, false for RMSNorm.
    pub(crate) centred: bool,
    pub(crate) dropout: Option<Dropout>,
    /// The formats of `x` and of the residual, if there was one.
    pub(crate) x: Precision,
    pub(crate) residual: Option<Precision>,
}

/// The gradients. `sum` is the gradient of the residual. The gradient of `x` is `x`, or, if that is `None`, `sum`
/// too.
#[derive(Debug)]
pub(crate) struct Gradients {
    pub(crate) sum: FloatVec,
    pub(crate) x: Option<FloatVec>,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

/// Computes the gradients from `dy`, the gradient of `y`.
pub(crate) fn backward(level: Level, dy: Floats<'_>, saved: Saved<'_>) -> Gradients {
    let Saved { normalised, scale, gamma, centred, dropout, x: format, residual } = saved;
    let (width, rows) = (gamma.len(), scale.len());
    assert!(dy.len() == rows * width && normalised.len() == dy.len(), "layer_norm: lengths");
    let of_sum = residual.unwrap_or(format);
    let mut sum = FloatRoom::new(of_sum, dy.len());
    let apart = dropout.is_some() || of_sum != format;
    let mut x = apart.then(|| FloatRoom::new(format, dy.len()));
    let to_sum = sum.shared();
    let to_x = x.as_mut().map(FloatRoom::shared);
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
        // SAFETY: all buffers have `rows` rows, as was checked above or as they were made, and each chunk writes
        // other rows of them.
        unsafe { launch(level, kernel) };
        (dgamma, dbeta)
    });
    let (mut dgamma, mut dbeta) = (vec![0.0; width], vec![0.0; width]);
    for (g, b) in parts {
        dgamma.iter_mut().zip(g).for_each(|(t, p)| *t += p);
        dbeta.iter_mut().zip(b).for_each(|(t, p)| *t += p);
    }
    // SAFETY: the chunks cover all rows, and each writes its rows completely, so every number was written.
    let (sum, x) = unsafe { (sum.filled(), x.map(|x| x.filled())) };
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
    unsafe fn run<S: Simd>(self, simd: S) {
        let width = self.gamma.len();
        let per_row = 1.0 / width as f32;
        let (gamma, dgamma) = (self.gamma.as_ptr(), self.dgamma.as_mut_ptr());
        let dbeta = self.dbeta.as_mut_ptr();
        for row in self.rows.clone() {
            let start = row * width;
            let key = self.dropout.map(|dropout| (dropout, dropout.row_key(row)));
            // SAFETY: the caller promises buffers that hold these rows, and that nothing else accesses the rows
            // of the results. `gamma`, `dgamma` and `dbeta` have `width` numbers, and no lane past them is
            // touched: lanes past the end are loaded as zeros, which change no sum.
            unsafe {
                let (mut total, mut product) = (simd.splat(0.0), simd.splat(0.0));
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let dy = self.dy.load(simd, start + column, left);
                    let normalised = self.normalised.load(simd, start + column, left);
                    let g = simd.mul(dy, simd.load_upto(gamma.add(column), left));
                    total = simd.add(total, g);
                    product = simd.fma(g, normalised, product);
                    let (to_gamma, to_beta) = (dgamma.add(column), dbeta.add(column));
                    let sum = simd.fma(dy, normalised, simd.load_upto(to_gamma, left));
                    simd.store_upto(to_gamma, left, sum);
                    simd.store_upto(to_beta, left, simd.add(simd.load_upto(to_beta, left), dy));
                }
                let total = if self.centred { simd.sum(total) * per_row } else { 0.0 };
                let total = simd.splat(total);
                let product = simd.splat(simd.sum(product) * per_row);
                let scale = simd.splat(self.scale[row]);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let dy = self.dy.load(simd, start + column, left);
                    let normalised = self.normalised.load(simd, start + column, left);
                    let g = simd.mul(dy, simd.load_upto(gamma.add(column), left));
                    let d = simd.fnma(normalised, product, simd.sub(g, total));
                    let d = simd.mul(scale, d);
                    self.sum.store(simd, start + column, left, d);
                    if let Some(x) = self.x {
                        let dx = match key {
                            Some((dropout, key)) => {
                                simd.mul(d, factors(simd, dropout, key, column))
                            }
                            None => d,
                        };
                        x.store(simd, start + column, left, dx);
                    }
                }
            }
        }
    }
}
