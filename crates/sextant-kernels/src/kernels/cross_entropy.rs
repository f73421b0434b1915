//! Cross-entropy from logits and its gradient, each in one pass over the logits.
//!
//! The loss of a row is `Σ t_c · (log Σ exp z - z_c)` times the row's weight, where the targets `t` are the
//! share that label smoothing gives to each class, plus the rest for the true class. Only the logarithm of
//! each row's sum of exponentials is kept for the backward pass.

use super::parallel::{self, Room};
use crate::ClassTargets;
use crate::simd::{self, Kernel, Level, Simd, launch};

/// The number of rows of a chunk.
const CHUNK: usize = 16;

/// The loss of each row, and the logarithm of each row's sum of exponentials.
pub(crate) fn forward(
    level: Level,
    logits: &[f32],
    columns: usize,
    targets: &ClassTargets,
) -> (Vec<f32>, Vec<f32>) {
    let rows = targets.classes.len();
    assert_eq!(logits.len(), rows * columns, "cross_entropy: length");
    let spread = Spread::new(columns, targets);
    let (mut losses, mut log_sums) = (Room::new(rows), Room::new(rows));
    let (to_losses, to_sums) = (losses.shared(), log_sums.shared());
    parallel::for_each(rows.div_ceil(CHUNK), logits.len() * 8, |chunk| {
        for row in chunk * CHUNK..((chunk + 1) * CHUNK).min(rows) {
            let logits = &logits[row * columns..][..columns];
            // SAFETY: `launch` asks that the kernel's pointers are valid, and `Row` holds only slices.
            let (log_sum, weighted) = unsafe { launch(level, Row(logits, &spread.weights)) };
            let hard = targets.hard(row);
            let loss = hard * (log_sum - logits[targets.classes[row] as usize])
                + (spread.total * log_sum - weighted);
            // SAFETY: both results have room for a number for each row, and each row belongs to one chunk.
            unsafe {
                *to_losses.at(row) = targets.row_weight(row) * loss;
                *to_sums.at(row) = log_sum;
            }
        }
    });
    // SAFETY: the chunks cover all rows, and both numbers of each row were written.
    unsafe { (losses.filled(), log_sums.filled()) }
}

/// Computes the gradient of the logits from `dlosses`, the gradients of the losses.
pub(crate) fn backward(
    level: Level,
    logits: &[f32],
    log_sums: &[f32],
    columns: usize,
    targets: &ClassTargets,
    dlosses: &[f32],
) -> Vec<f32> {
    let rows = targets.classes.len();
    assert!(
        logits.len() == rows * columns && log_sums.len() == rows && dlosses.len() == rows,
        "cross_entropy: lengths"
    );
    let spread = Spread::new(columns, targets);
    let mut gradient = Room::new(logits.len());
    let to = gradient.shared();
    parallel::for_each(rows.div_ceil(CHUNK), logits.len() * 8, |chunk| {
        for row in chunk * CHUNK..((chunk + 1) * CHUNK).min(rows) {
            let scale = targets.row_weight(row) * dlosses[row];
            let hard = targets.hard(row);
            let class = targets.classes[row] as usize;
            assert!(class < columns, "cross_entropy: class {class} of {columns}");
            let kernel = BackwardRow {
                logits: &logits[row * columns..][..columns],
                spread: &spread.weights,
                log_sum: log_sums[row],
                total: hard + spread.total,
                scale,
                gradient: to.at(row * columns),
            };
            // SAFETY: the gradient has room for as many numbers as there are logits, whose length was checked
            // above, so it has a row of `columns` numbers at `row * columns`, and each row belongs to one
            // chunk. The kernel has written the number of the true class, which is below `columns`, before it
            // is changed.
            unsafe {
                launch(level, kernel);
                *to.at(row * columns + class) -= scale * hard;
            }
        }
    });
    // SAFETY: the chunks cover all rows, and the kernel writes each row completely.
    unsafe { gradient.filled() }
}

/// The part of every row's targets that label smoothing gives to each class, and the sum over the classes.
/// There are no weights when there is no smoothing.
struct Spread {
    weights: Vec<f32>,
    total: f32,
}

impl Spread {
    fn new(columns: usize, targets: &ClassTargets) -> Self {
        if targets.label_smoothing == 0.0 {
            return Self { weights: Vec::new(), total: 0.0 };
        }
        let share = targets.label_smoothing / columns as f32;
        let weights: Vec<f32> =
            (0..columns).map(|class| share * targets.class_weight(class)).collect();
        Self { total: weights.iter().sum(), weights }
    }
}

/// A kernel that computes `log Σ exp z`, and `Σ w · z` for the weights `w` of label smoothing.
struct Row<'a>(&'a [f32], &'a [f32]);

impl Kernel for Row<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) -> (f32, f32) {
        let Self(z, weights) = self;
        let whole = z.len() / S::LANES * S::LANES;
        // SAFETY: each vector starts inside its slice, and no lane past the slice's end is read. The weights are
        // as many as the logits, or none. The array holds a vector of any level.
        unsafe {
            // A greatest logit that is infinite gives a loss of NaN, because its difference from itself is NaN,
            // and so does a NaN among the logits.
            let mut greatest = simd.splat(f32::NEG_INFINITY);
            for i in (0..whole).step_by(S::LANES) {
                greatest = simd.max(greatest, simd.load(z.as_ptr().add(i)));
            }
            let top = z[whole..].iter().fold(simd.greatest(greatest), |top, &x| top.max(x));
            let (shift, mut sum) = (simd.splat(top), simd.splat(0.0));
            for i in (0..whole).step_by(S::LANES) {
                sum = simd.add(sum, simd::exp(simd, simd.sub(simd.load(z.as_ptr().add(i)), shift)));
            }
            if whole < z.len() {
                let left = z.len() - whole;
                let e =
                    simd::exp(simd, simd.sub(simd.load_first(z.as_ptr().add(whole), left), shift));
                // The exponentials go through memory, so that lanes past the end are zero.
                let mut lanes = [0.0f32; 16];
                simd.store_first(lanes.as_mut_ptr(), left, e);
                sum = simd.add(sum, simd.load(lanes.as_ptr()));
            }
            let mut weighted = simd.splat(0.0);
            for i in (0..weights.len()).step_by(S::LANES) {
                let left = weights.len() - i;
                let w = simd.load_upto(weights.as_ptr().add(i), left);
                weighted = simd.fma(w, simd.load_upto(z.as_ptr().add(i), left), weighted);
            }
            (top + simd.sum(sum).ln(), simd.sum(weighted))
        }
    }
}

/// A kernel that computes one row of the gradient, `scale · (total · softmax(z) - spread)`.
struct BackwardRow<'a> {
    logits: &'a [f32],
    spread: &'a [f32],
    log_sum: f32,
    total: f32,
    scale: f32,
    gradient: *mut f32,
}

impl Kernel for BackwardRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        // SAFETY: the caller promises room for a row of the gradient with as many numbers as there are logits,
        // which nothing else accesses. `spread` is as long as the logits or empty, and no lane past the end of
        // the logits is touched.
        unsafe {
            let (shift, scale) = (simd.splat(self.log_sum), simd.splat(self.scale));
            let total = simd.splat(self.total);
            for i in (0..self.logits.len()).step_by(S::LANES) {
                let left = self.logits.len() - i;
                let z = simd.load_upto(self.logits.as_ptr().add(i), left);
                let mut d = simd.mul(total, simd::exp(simd, simd.sub(z, shift)));
                if !self.spread.is_empty() {
                    d = simd.sub(d, simd.load_upto(self.spread.as_ptr().add(i), left));
                }
                simd.store_upto(self.gradient.add(i), left, simd.mul(scale, d));
            }
        }
    }
}
