//! AdamW in one pass over parameter, gradient and both moments.

use super::parallel::{self, SharedMut};
use crate::AdamWStep;
use crate::simd::{Kernel, Level, Simd, launch};

/// Elements of a chunk.
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
            grad: grad[start..].as_ptr(),
            m: m.at(start),
            v: v.at(start),
            step: *step,
        };
        // SAFETY: the level is supported; chunks are disjoint parts of buffers of one length.
        unsafe { launch(level, update) };
    });
}

struct Update {
    count: usize,
    param: *mut f32,
    grad: *const f32,
    m: *mut f32,
    v: *mut f32,
    step: AdamWStep,
}

impl Kernel for Update {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let step = self.step;
        let (first, second) = step.bias_corrections();
        // SAFETY: the caller passes buffers of this length on a machine that supports S.
        unsafe {
            let splat = |x: f64| S::splat(x as f32);
            let scale = S::splat(step.grad_scale);
            let (beta1, rest1) = (splat(step.beta1), splat(1.0 - step.beta1));
            let (beta2, rest2) = (splat(step.beta2), splat(1.0 - step.beta2));
            let (rate, keep) = (splat(step.lr / first), splat(1.0 - step.lr * step.weight_decay));
            let (correction, eps) = (splat(1.0 / second.sqrt()), splat(step.eps));
            for i in (0..self.count).step_by(S::LANES) {
                let left = self.count - i;
                let g = S::mul(S::load_upto(self.grad.add(i), left), scale);
                let m = S::load_upto(self.m.add(i), left);
                let m = S::fma(rest1, g, S::mul(beta1, m));
                let v = S::load_upto(self.v.add(i), left);
                let v = S::fma(rest2, S::mul(g, g), S::mul(beta2, v));
                let denominator = S::fma(S::sqrt(v), correction, eps);
                let p = S::mul(keep, S::load_upto(self.param.add(i), left));
                let p = S::fnma(rate, S::div(m, denominator), p);
                S::store_upto(self.m.add(i), left, m);
                S::store_upto(self.v.add(i), left, v);
                S::store_upto(self.param.add(i), left, p);
            }
        }
    }
}
