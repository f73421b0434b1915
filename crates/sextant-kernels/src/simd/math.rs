//! Elementary functions on vectors, and the activations made of them with their derivatives.
//!
//! NaN gives NaN: where an argument is limited to a range, the limit is the first argument of [`Simd::min`] and
//! [`Simd::max`], which return the second one if either is NaN.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

use super::Simd;

/// Evaluates a polynomial by Horner's rule; the coefficient of the highest power comes first.
#[inline(always)]
fn polynomial<S: Simd>(simd: S, x: S::V, first: f32, rest: &[f32]) -> S::V {
    let mut p = simd.splat(first);
    for &c in rest {
        p = simd.fma(p, x, simd.splat(c));
    }
    p
}

/// `exp(x)` with a relative error below 2e-7 (after Cephes `expf`). Where the result would leave the range of
/// `f32`, it is at least 1e-38 and at most 2.4e38.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::V) -> S::V {
    let x = simd.max(simd.splat(-87.3), simd.min(simd.splat(88.3), x));
    let n = simd.round(simd.mul(x, simd.splat(LOG2_E)));
    let r = simd.fnma(n, simd.splat(0.693_359_4), x);
    let r = simd.fnma(n, simd.splat(-2.121_944_4e-4), r);
    let rest = [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let p = polynomial(simd, r, 1.987_569_1e-4, &rest);
    let p = simd.fma(p, simd.mul(r, r), simd.add(r, simd.splat(1.0)));
    simd.scale(p, n)
}

/// `1 / (1 + exp(-x))`
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::V) -> S::V {
    let one = simd.splat(1.0);
    simd.div(one, simd.add(one, exp(simd, simd.sub(simd.splat(0.0), x))))
}

/// The hyperbolic tangent: by a polynomial near zero (Cephes `tanhf`), and by [`exp`] elsewhere.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::V) -> S::V {
    let square = simd.mul(x, x);
    let rest = [2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1];
    let p = polynomial(simd, square, -5.704_988_7e-3, &rest);
    let near = simd.fma(simd.mul(p, square), x, x);
    let one = simd.splat(1.0);
    let e = exp(simd, simd.add(x, x));
    let far = simd.sub(one, simd.div(simd.splat(2.0), simd.add(e, one)));
    simd.select_less(simd.abs(x), simd.splat(0.625), near, far)
}

/// `(Φ(x), exp(-x² / 2))`, where Φ is the standard normal distribution function, with an absolute error below
/// 1e-7. Abramowitz and Stegun 7.1.26 gives the tail `1 - Φ(|x|)`, so that small values of Φ keep their digits.
#[inline(always)]
fn normal<S: Simd>(simd: S, x: S::V) -> (S::V, S::V) {
    let one = simd.splat(1.0);
    let e = exp(simd, simd.mul(simd.mul(x, x), simd.splat(-0.5)));
    let d = simd.fma(simd.abs(x), simd.splat(0.327_591_1 * FRAC_1_SQRT_2), one);
    let t = simd.div(one, d);
    let rest = [-0.5 * 1.453_152, 0.5 * 1.421_413_7, -0.5 * 0.284_496_74, 0.5 * 0.254_829_6];
    let p = polynomial(simd, t, 0.5 * 1.061_405_4, &rest);
    let tail = simd.mul(simd.mul(p, t), e);
    let phi = simd.select_less(x, simd.splat(0.0), tail, simd.sub(one, tail));
    (phi, e)
}

/// `x · Φ(x)`
#[inline(always)]
pub(crate) fn gelu<S: Simd>(simd: S, x: S::V) -> S::V {
    simd.mul(x, normal(simd, x).0)
}

/// `Φ(x) + x · φ(x)`
#[inline(always)]
pub(crate) fn gelu_derivative<S: Simd>(simd: S, x: S::V) -> S::V {
    let (phi, e) = normal(simd, x);
    simd.fma(simd.mul(x, e), simd.splat(0.398_942_3), phi)
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

/// `tanh(sqrt(2 / π) · (x + 0.044715 x³))`
#[inline(always)]
fn gelu_tanh_inner<S: Simd>(simd: S, x: S::V) -> S::V {
    let cubic = simd.fma(simd.mul(x, x), simd.splat(CUBIC), simd.splat(1.0));
    tanh(simd, simd.mul(simd.mul(x, cubic), simd.splat(SQRT_2_OVER_PI)))
}

/// The tanh approximation of GELU.
#[inline(always)]
pub(crate) fn gelu_tanh<S: Simd>(simd: S, x: S::V) -> S::V {
    let half = simd.mul(x, simd.splat(0.5));
    simd.fma(half, gelu_tanh_inner(simd, x), half)
}

/// The derivative of the tanh approximation of GELU.
#[inline(always)]
pub(crate) fn gelu_tanh_derivative<S: Simd>(simd: S, x: S::V) -> S::V {
    let t = gelu_tanh_inner(simd, x);
    let one = simd.splat(1.0);
    let slope = simd
        .mul(simd.fma(simd.mul(x, x), simd.splat(3.0 * CUBIC), one), simd.splat(SQRT_2_OVER_PI));
    let curved = simd.mul(simd.mul(x, slope), simd.fnma(t, t, one));
    simd.mul(simd.add(simd.add(one, t), curved), simd.splat(0.5))
}

/// The derivative of `x · sigmoid(x)`.
#[inline(always)]
pub(crate) fn silu_derivative<S: Simd>(simd: S, x: S::V) -> S::V {
    let s = sigmoid(simd, x);
    simd.mul(s, simd.fma(x, simd.sub(simd.splat(1.0), s), simd.splat(1.0)))
}

#[cfg(test)]
mod tests {
    use super::super::{Kernel, Level, launch};
    use super::*;

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Sigmoid,
        Tanh,
        Gelu,
        GeluDerivative,
        GeluTanh,
        GeluTanhDerivative,
        SiluDerivative,
    }

    struct Map<'a>(&'a [f32], &'a mut [f32], Function);

    impl Kernel for Map<'_> {
        type Output = ();
        #[inline(always)]
        unsafe fn run<S: Simd>(self, simd: S) {
            let Self(x, y, function) = self;
            assert_eq!(x.len() % S::LANES, 0);
            for (x, y) in x.chunks(S::LANES).zip(y.chunks_mut(S::LANES)) {
                // SAFETY: both slices have the same length, a multiple of the lanes, so every chunk is a whole
                // vector.
                unsafe {
                    let v = simd.load(x.as_ptr());
                    let r = match function {
                        Function::Exp => exp(simd, v),
                        Function::Sigmoid => sigmoid(simd, v),
                        Function::Tanh => tanh(simd, v),
                        Function::Gelu => gelu(simd, v),
                        Function::GeluDerivative => gelu_derivative(simd, v),
                        Function::GeluTanh => gelu_tanh(simd, v),
                        Function::GeluTanhDerivative => gelu_tanh_derivative(simd, v),
                        Function::SiluDerivative => silu_derivative(simd, v),
                    };
                    simd.store(y.as_mut_ptr(), r);
                }
            }
        }
    }

    /// Φ in f64 by its Taylor series, which converges quickly enough for |x| <= 6.
    fn phi(x: f64) -> f64 {
        let (mut term, mut sum, mut k) = (x, x, 0.0);
        while term.abs() > 1e-18 {
            k += 1.0;
            term *= x * x / (2.0 * k + 1.0);
            sum += term;
        }
        0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    fn gelu_tanh_64(x: f64) -> f64 {
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
        0.5 * x * (1.0 + inner.tanh())
    }

    /// The largest error over -6..6, relative to the larger of 1 and the true value; for exp and
    /// tanh relative to the true value.
    fn largest_error(level: Level, function: Function, truth: impl Fn(f64) -> f64) -> f64 {
        let x: Vec<f32> = (-48_000..48_000).map(|i| i as f32 * 1.25e-4 + 3e-5).collect();
        let mut y = vec![0.0; x.len()];
        // SAFETY: `launch` asks that the kernel's pointers are valid, and `Map` holds only slices of one
        // length.
        unsafe { launch(level, Map(&x, &mut y, function)) };
        let relative = matches!(function, Function::Exp | Function::Tanh);
        let error = |(x, y): (&f32, &f32)| {
            let t = truth(f64::from(*x));
            let scale = if relative { t.abs() } else { t.abs().max(1.0) };
            (f64::from(*y) - t).abs() / scale
        };
        x.iter().zip(&y).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn functions_agree_with_f64() {
        let sigmoid_64 = |x: f64| 1.0 / (1.0 + (-x).exp());
        let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        for level in Level::supported() {
            let check = |function, truth: &dyn Fn(f64) -> f64, bound: f64| {
                let error = largest_error(level, function, truth);
                assert!(error < bound, "{level:?}: {error} is not below {bound}");
            };
            check(Function::Exp, &f64::exp, 3e-7);
            check(Function::Sigmoid, &sigmoid_64, 2e-7);
            check(Function::Tanh, &f64::tanh, 4e-7);
            check(Function::Gelu, &|x| x * phi(x), 4e-7);
            check(Function::GeluDerivative, &|x| phi(x) + x * density(x), 6e-7);
            check(Function::GeluTanh, &gelu_tanh_64, 4e-7);
            let slope = |x| (gelu_tanh_64(x + 1e-5) - gelu_tanh_64(x - 1e-5)) / 2e-5;
            check(Function::GeluTanhDerivative, &slope, 3e-6);
            let slope = |x: f64| sigmoid_64(x) * (1.0 + x * (1.0 - sigmoid_64(x)));
            check(Function::SiluDerivative, &slope, 1e-6);
        }
    }

    /// Checks that NaN gives NaN, in its lane alone, and that ±inf gives the value of the formula in `f64`, or
    /// a value that is not finite where the formula's is not.
    #[test]
    fn what_is_no_number_stays_so() {
        let sigmoid_64 = |x: f64| 1.0 / (1.0 + (-x).exp());
        let phi_64 = |x: f64| if x > 0.0 { 1.0 } else { 0.0 };
        let density = |x: f64| (-x * x / 2.0).exp();
        let functions: [(Function, &dyn Fn(f64) -> f64); 7] = [
            (Function::Sigmoid, &sigmoid_64),
            (Function::Tanh, &f64::tanh),
            (Function::Gelu, &|x| x * phi_64(x)),
            (Function::GeluDerivative, &|x| phi_64(x) + x * density(x)),
            (Function::GeluTanh, &gelu_tanh_64),
            (Function::GeluTanhDerivative, &|x| x * (1.0 - x.tanh().powi(2))),
            (Function::SiluDerivative, &|x| sigmoid_64(x) * (1.0 + x * (1.0 - sigmoid_64(x)))),
        ];
        let bits = f32::from_bits;
        for level in Level::supported() {
            // The value of `x` among lanes of ones, which must not change.
            let at = |function, x: f32| {
                let (mut before, mut after) = ([0.0; 16], [0.0; 16]);
                let mut lanes = [1.0; 16];
                // SAFETY: `launch` asks that the kernel's pointers are valid, and `Map` holds only slices of
                // one length.
                unsafe { launch(level, Map(&lanes, &mut before, function)) };
                lanes[5] = x;
                // SAFETY: `launch` asks that the kernel's pointers are valid, and `Map` holds only slices of
                // one length.
                unsafe { launch(level, Map(&lanes, &mut after, function)) };
                let value = std::mem::replace(&mut after[5], before[5]);
                assert_eq!(after, before, "{level:?}");
                value
            };
            for (function, truth) in functions {
                for nan in [f32::NAN, -f32::NAN, bits(0x7f80_0001), bits(0xff80_0100)] {
                    assert!(at(function, nan).is_nan() && at(Function::Exp, nan).is_nan());
                }
                for x in [f32::INFINITY, f32::NEG_INFINITY] {
                    let (y, truth) = (at(function, x), truth(f64::from(x)));
                    if truth.is_finite() {
                        assert!((f64::from(y) - truth).abs() < 1e-6, "{level:?} {x}: {y}, {truth}");
                    } else {
                        assert!(!y.is_finite(), "{level:?} {x}: {y}, {truth}");
                    }
                }
            }
            assert!(at(Function::Exp, f32::INFINITY) > 2e38, "{level:?}");
            assert!(at(Function::Exp, f32::NEG_INFINITY) < 2e-38, "{level:?}");
        }
    }
}
