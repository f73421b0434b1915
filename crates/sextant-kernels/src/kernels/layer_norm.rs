//! `y = LayerNorm(dropout(x) + residual) · gamma + beta` and its gradients, one pass each; and
//! RMSNorm, which is the same without taking the mean away and without `beta`.

use super::parallel::{self, SharedMut, uninitialised};
use crate::Dropout;
use crate::dropout::RowKey;
use crate::simd::{Kernel, Level, Simd, launch};

/// Rows of a chunk.
const CHUNK: usize = 64;

/// What the forward pass computes.
pub(crate) struct Forward {
    pub(crate) y: Vec<f32>,
    /// The sum, centred and divided by its standard deviation.
    pub(crate) normalised: Vec<f32>,
    /// The reciprocal of the standard deviation of each row.
    pub(crate) scale: Vec<f32>,
}

/// Without `beta` this is RMSNorm.
pub(crate) fn forward(
    level: Level,
    x: &[f32],
    residual: Option<&[f32]>,
    gamma: &[f32],
    beta: Option<&[f32]>,
    eps: f32,
    dropout: Option<Dropout>,
) -> Forward {
    let width = gamma.len();
    assert!(
        beta.is_none_or(|beta| beta.len() == width)
            && x.len().is_multiple_of(width.max(1))
            && residual.is_none_or(|residual| residual.len() == x.len()),
        "layer_norm: lengths"
    );
    let rows = x.len() / width.max(1);
    let mut out = Forward {
        y: uninitialised(x.len()),
        normalised: uninitialised(x.len()),
        scale: uninitialised(rows),
    };
    let y = SharedMut::new(&mut out.y);
    let normalised = SharedMut::new(&mut out.normalised);
    let scale = SharedMut::new(&mut out.scale);
    parallel::for_each(rows.div_ceil(CHUNK), x.len() * 8, |chunk| {
        let start = chunk * CHUNK;
        let kernel = ForwardRows {
            rows: start..(start + CHUNK).min(rows),
            width,
            x: x.as_ptr(),
            residual: residual.map(<[f32]>::as_ptr),
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
    x: *const f32,
    residual: Option<*const f32>,
    gamma: *const f32,
    beta: Option<*const f32>,
    eps: f32,
    dropout: Option<Dropout>,
    y: SharedMut<f32>,
    normalised: SharedMut<f32>,
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
        for row in self.rows.clone() {
            let start = row * width;
            let (y, normalised) = (self.y.at(start), self.normalised.at(start));
            let key = self.dropout.map(|dropout| (dropout, dropout.row_key(row)));
            // SAFETY: the caller passes buffers that hold these rows.
            unsafe {
                let mut total = S::splat(0.0);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let mut a = S::load_upto(self.x.add(start + column), left);
                    if let Some((dropout, key)) = key {
                        a = S::mul(a, factors::<S>(dropout, key, column));
                    }
                    if let Some(residual) = self.residual {
                        a = S::add(a, S::load_upto(residual.add(start + column), left));
                    }
                    S::store_upto(normalised.add(column), left, a);
                    total = S::add(total, a);
                }
                let mean = match self.beta {
                    Some(_) => S::splat(S::sum(total) * per_row),
                    None => S::splat(0.0),
                };
                let mut squares = S::splat(0.0);
                for column in (0..width).step_by(S::LANES) {
                    let left = width - column;
                    let centred = S::sub(S::load_upto(normalised.add(column), left), mean);
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
                    let centred = S::sub(S::load_upto(normalised.add(column), left), mean);
                    let a = S::mul(centred, scale);
                    S::store_upto(normalised.add(column), left, a);
                    let gamma = S::load_upto(self.gamma.add(column), left);
                    let beta = match self.beta {
                        Some(beta) => S::load_upto(beta.add(column), left),
                        None => S::splat(0.0),
                    };
                    S::store_upto(y.add(column), left, S::fma(a, gamma, beta));
                }
            }
        }
    }
}

/// The gradients; that of the residual is `sum`, that of `x` is `x`, or `sum` without dropout.
pub(crate) struct Gradients {
    pub(crate) sum: Vec<f32>,
    pub(crate) x: Option<Vec<f32>>,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

/// `centred` says whether the mean was taken away: true for LayerNorm, false for RMSNorm.
pub(crate) fn backward(
    level: Level,
    dy: &[f32],
    normalised: &[f32],
    scale: &[f32],
    gamma: &[f32],
    centred: bool,
    dropout: Option<Dropout>,
) -> Gradients {
    let (width, rows) = (gamma.len(), scale.len());
    assert!(dy.len() == rows * width && normalised.len() == dy.len(), "layer_norm: lengths");
    let mut sum = uninitialised(dy.len());
    let mut x = dropout.map(|_| uninitialised(dy.len()));
    let to_sum = SharedMut::new(&mut sum);
    let to_x = x.as_deref_mut().map(SharedMut::new);
    let parts = parallel::map(rows.div_ceil(CHUNK), dy.len() * 8, |chunk| {
        let (mut dgamma, mut dbeta) = (vec![0.0; width], vec![0.0; width]);
        let start = chunk * CHUNK;
        let kernel = BackwardRows {
            rows: start..(start + CHUNK).min(rows),
            dy: dy.as_ptr(),
            normalised: normalised.as_ptr(),
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
    dy: *const f32,
    normalised: *const f32,
    scale: &'a [f32],
    gamma: &'a [f32],
    centred: bool,
    dropout: Option<Dropout>,
    sum: SharedMut<f32>,
    x: Option<SharedMut<f32>>,
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
                    let dy = S::load_upto(self.dy.add(start + column), left);
                    let normalised = S::load_upto(self.normalised.add(start + column), left);
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
                    let dy = S::load_upto(self.dy.add(start + column), left);
                    let normalised = S::load_upto(self.normalised.add(start + column), left);
                    let g = S::mul(dy, S::load_upto(gamma.add(column), left));
                    let d = S::fnma(normalised, product, S::sub(g, total));
                    let d = S::mul(scale, d);
                    S::store_upto(self.sum.at(start + column), left, d);
                    if let (Some(x), Some((dropout, key))) = (self.x, key) {
                        let dx = S::mul(d, factors::<S>(dropout, key, column));
                        S::store_upto(x.at(start + column), left, dx);
                    }
                }
            }
        }
    }
}
