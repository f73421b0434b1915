//! The gradient of the softmax, line by line.

use std::ops::Range;

use super::super::layer_norm::factors;
use crate::Dropout;
use crate::dropout::RowKey;
use crate::simd::{self, Simd};

/// Replaces a line of products by probabilities, and their gradients by gradients of the products. `common` is
/// the sum of the probabilities times their gradients.
///
/// # Safety
/// Both lines are valid for a number for each visible key.
#[expect(clippy::too_many_arguments, reason = "a row of scores has this many parts")]
#[inline(always)]
pub(super) unsafe fn score_gradients<S: Simd>(
    simd: S,
    probabilities: *mut f32,
    dscores: *mut f32,
    visible: Range<usize>,
    (scale, cap): (f32, Option<f32>),
    log_sum: f32,
    common: f32,
    dropout: Option<(Dropout, RowKey)>,
) {
    let count = visible.len();
    // SAFETY: the caller promises that both lines are valid for a number for each of the `count` visible keys,
    // and no lane past them is loaded or stored.
    unsafe {
        let (by, log_sum, common) = (simd.splat(scale), simd.splat(log_sum), simd.splat(common));
        for i in (0..count).step_by(S::LANES) {
            let left = count - i;
            let product = simd.load_upto(probabilities.add(i), left);
            let (score, slope) = match cap {
                None => (simd.mul(product, by), by),
                Some(cap) => {
                    let share = simd::tanh(simd, simd.mul(product, simd.splat(scale / cap)));
                    let slope = simd.mul(by, simd.fnma(share, share, simd.splat(1.0)));
                    (simd.mul(share, simd.splat(cap)), slope)
                }
            };
            let p = simd::exp(simd, simd.sub(score, log_sum));
            let mut dp = simd.load_upto(dscores.add(i), left);
            let mut kept = p;
            if let Some((dropout, key)) = dropout {
                let factors = factors(simd, dropout, key, visible.start + i);
                dp = simd.mul(dp, factors);
                kept = simd.mul(p, factors);
            }
            let dscore = simd.mul(simd.mul(p, slope), simd.sub(dp, common));
            simd.store_upto(probabilities.add(i), left, kept);
            simd.store_upto(dscores.add(i), left, dscore);
        }
    }
}
