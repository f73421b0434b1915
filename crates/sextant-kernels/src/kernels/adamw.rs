//! AdamW in one pass over parameter, gradient and both moments.

use super::parallel::{self, SharedMut};
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{AdamWStep, RowGradient, UntouchedRows};

/// The number of elements of a chunk.
const CHUNK: usize = 1 << 15;

pub(crate) fn step(
    level: Level,
    param: &mut [f32],
    grad: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    step: &AdamWStep,
) {
    let count = param.len();
    assert!(grad.len() == count && m.len() == count && v.len() == count, "adamw: lengths");
    let (param, m, v) = (SharedMut::new(param), SharedMut::new(m), SharedMut::new(v));
    parallel::for_each(count.div_ceil(CHUNK), count * 4, |chunk| {
        let start = chunk * CHUNK;
        let update = Update {
            count: CHUNK.min(count - start),
            param: param.at(start),
            grad: Some(grad[start..].as_ptr()),
            m: m.at(start),
            v: v.at(start),
            step: *step,
        };
        // SAFETY: the four buffers have the same length, as was checked above, and the update has `count`
        // elements left from `start` on. Chunks are disjoint parts of the buffers.
        unsafe { launch(level, update) };
    });
}

/// One step on an embedding table of which only some rows have a gradient.
pub(crate) fn step_rows(
    level: Level,
    param: &mut [f32],
    gradient: &RowGradient,
    m: &mut [f32],
    v: &mut [f32],
    step: &AdamWStep,
    untouched: UntouchedRows,
) {
    let (count, width) = (param.len(), gradient.width());
    let rows = count / width.max(1);
    let inside = |id: &i32| usize::try_from(*id).is_ok_and(|id| id < rows);
    assert!(count == rows * width && m.len() == count && v.len() == count, "adamw: lengths");
    assert!(gradient.ids().iter().all(inside), "adamw: rows of the gradient");
    let (param, m, v) = (SharedMut::new(param), SharedMut::new(m), SharedMut::new(v));
    // The number of rows of a chunk.
    let share = (CHUNK / width.max(1)).max(1);
    parallel::for_each(rows.div_ceil(share), count * 4, |chunk| {
        let (mut next, end) = (chunk * share, ((chunk + 1) * share).min(rows));
        let update = |rows: std::ops::Range<usize>, grad: Option<*const f32>| {
            if rows.is_empty() || (grad.is_none() && untouched == UntouchedRows::Keep) {
                return;
            }
            let start = rows.start * width;
            let update = Update {
                count: rows.len() * width,
                param: param.at(start),
                grad,
                m: m.at(start),
                v: v.at(start),
                step: *step,
            };
            // SAFETY: the parameter and both moments have the same length of whole rows, as was checked above,
            // and `rows` are rows of them that this task alone updates, each once. A gradient is given for
            // one row only, and its pointer leads to the `width` numbers of that row.
            unsafe { launch(level, update) };
        };
        let first = gradient.ids().partition_point(|&id| (id as usize) < next);
        for (place, &id) in gradient.ids().iter().enumerate().skip(first) {
            let row = id as usize;
            if row >= end {
                break;
            }
            update(next..row, None);
            update(row..row + 1, Some(gradient.values()[place * width..].as_ptr()));
            next = row + 1;
        }
        update(next..end, None);
    });
}

struct Update {
    count: usize,
    param: *mut f32,
    /// The gradient; `None` stands for zeros.
    grad: Option<*const f32>,
    m: *mut f32,
    v: *mut f32,
    step: AdamWStep,
}

impl Kernel for Update {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let step = self.step;
        let (first, second) = step.bias_corrections();
        // SAFETY: the caller promises that all buffers are valid for `count` numbers, and that nothing else
        // accesses the parameter and the moments; no lane past the `count` numbers is touched.
        unsafe {
            let splat = |x: f64| simd.splat(x as f32);
            let scale = simd.splat(step.grad_scale);
            let (beta1, rest1) = (splat(step.beta1), splat(1.0 - step.beta1));
            let (beta2, rest2) = (splat(step.beta2), splat(1.0 - step.beta2));
            let (rate, keep) = (splat(step.lr / first), splat(1.0 - step.lr * step.weight_decay));
            let (correction, eps) = (splat(1.0 / second.sqrt()), splat(step.eps));
            for i in (0..self.count).step_by(S::LANES) {
                let left = self.count - i;
                let g = match self.grad {
                    Some(grad) => simd.mul(simd.load_upto(grad.add(i), left), scale),
                    None => simd.splat(0.0),
                };
                let m = simd.load_upto(self.m.add(i), left);
                let m = simd.fma(rest1, g, simd.mul(beta1, m));
                let v = simd.load_upto(self.v.add(i), left);
                let v = simd.fma(rest2, simd.mul(g, g), simd.mul(beta2, v));
                let denominator = simd.fma(simd.sqrt(v), correction, eps);
                let p = simd.mul(keep, simd.load_upto(self.param.add(i), left));
                let p = simd.fnma(rate, simd.div(m, denominator), p);
                simd.store_upto(self.m.add(i), left, m);
                simd.store_upto(self.v.add(i), left, v);
                simd.store_upto(self.param.add(i), left, p);
            }
        }
    }
}
