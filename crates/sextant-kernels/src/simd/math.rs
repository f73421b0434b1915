//! Elementary functions on vectors, and the activations made of them with their derivatives.
//!
//! All are `unsafe` for one reason: the machine must support `S`, which the caller, a kernel run
//! at level `S`, knows.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

use super::Simd;

/// Horner's rule, the highest power first.
#[inline(always)]
unsafe fn polynomial<S: Simd>(x: S::V, first: f32, rest: &[f32]) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let mut p = S::splat(first);
        for &c in rest {
            p = S::fma(p, x, S::splat(c));
        }
        p
    }
}

/// `exp(x)`, relative error below 2e-7; at least 1e-38 and at most 2.4e38 where it would leave
/// the range of `f32` (after Cephes `expf`).
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let x = S::max(S::min(x, S::splat(88.3)), S::splat(-87.3));
        let n = S::round(S::mul(x, S::splat(LOG2_E)));
        let r = S::fnma(n, S::splat(0.693_359_4), x);
        let r = S::fnma(n, S::splat(-2.121_944_4e-4), r);
        let rest = [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
        let p = polynomial::<S>(r, 1.987_569_1e-4, &rest);
        let p = S::fma(p, S::mul(r, r), S::add(r, S::splat(1.0)));
        S::scale(p, n)
    }
}

/// `1 / (1 + exp(-x))`
#[inline(always)]
pub(crate) unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let one = S::splat(1.0);
        S::div(one, S::add(one, exp::<S>(S::sub(S::splat(0.0), x))))
    }
}

/// Hyperbolic tangent: a polynomial near zero (Cephes `tanhf`), by `exp` elsewhere.
#[inline(always)]
pub(crate) unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let square = S::mul(x, x);
        let rest = [2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1];
        let p = polynomial::<S>(square, -5.704_988_7e-3, &rest);
        let near = S::fma(S::mul(p, square), x, x);
        let one = S::splat(1.0);
        let e = exp::<S>(S::add(x, x));
        let far = S::sub(one, S::div(S::splat(2.0), S::add(e, one)));
        S::select_less(S::abs(x), S::splat(0.625), near, far)
    }
}

/// `(Φ(x), exp(-x² / 2))` with Φ the normal distribution function, absolute error below 1e-7
/// (Abramowitz and Stegun 7.1.26 on the complement, so that the left tail keeps its digits).
#[inline(always)]
unsafe fn normal<S: Simd>(x: S::V) -> (S::V, S::V) {
    // SAFETY: S is supported, by contract.
    unsafe {
        let one = S::splat(1.0);
        let e = exp::<S>(S::mul(S::mul(x, x), S::splat(-0.5)));
        let d = S::fma(S::abs(x), S::splat(0.327_591_1 * FRAC_1_SQRT_2), one);
        let t = S::div(one, d);
        let rest = [-0.5 * 1.453_152, 0.5 * 1.421_413_7, -0.5 * 0.284_496_74, 0.5 * 0.254_829_6];
        let p = polynomial::<S>(t, 0.5 * 1.061_405_4, &rest);
        let tail = S::mul(S::mul(p, t), e);
        let phi = S::select_less(x, S::splat(0.0), tail, S::sub(one, tail));
        (phi, e)
    }
}

/// `x · Φ(x)`
#[inline(always)]
pub(crate) unsafe fn gelu<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe { S::mul(x, normal::<S>(x).0) }
}

/// `Φ(x) + x · φ(x)`
#[inline(always)]
pub(crate) unsafe fn gelu_derivative<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let (phi, e) = normal::<S>(x);
        S::fma(S::mul(x, e), S::splat(0.398_942_3), phi)
    }
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

/// `tanh(sqrt(2 / π) · (x + 0.044715 x³))`
#[inline(always)]
unsafe fn gelu_tanh_inner<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let cubic = S::fma(S::mul(x, x), S::splat(CUBIC), S::splat(1.0));
        tanh::<S>(S::mul(S::mul(x, cubic), S::splat(SQRT_2_OVER_PI)))
    }
}

/// GELU by tanh.
#[inline(always)]
pub(crate) unsafe fn gelu_tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let half = S::mul(x, S::splat(0.5));
        S::fma(half, gelu_tanh_inner::<S>(x), half)
    }
}

/// The derivative of GELU by tanh.
#[inline(always)]
pub(crate) unsafe fn gelu_tanh_derivative<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let t = gelu_tanh_inner::<S>(x);
        let one = S::splat(1.0);
        let slope =
            S::mul(S::fma(S::mul(x, x), S::splat(3.0 * CUBIC), one), S::splat(SQRT_2_OVER_PI));
        let curved = S::mul(S::mul(x, slope), S::fnma(t, t, one));
        S::mul(S::add(S::add(one, t), curved), S::splat(0.5))
    }
}

/// The derivative of `x · sigmoid(x)`.
#[inline(always)]
pub(crate) unsafe fn silu_derivative<S: Simd>(x: S::V) -> S::V {
    // SAFETY: S is supported, by contract.
    unsafe {
        let s = sigmoid::<S>(x);
        S::mul(s, S::fma(x, S::sub(S::splat(1.0), s), S::splat(1.0)))
    }
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
        unsafe fn run<S: Simd>(self) {
            let Self(x, y, function) = self;
            assert_eq!(x.len() % S::LANES, 0);
            for (x, y) in x.chunks(S::LANES).zip(y.chunks_mut(S::LANES)) {
                // SAFETY: chunks are whole vectors; the test checks that S is supported.
                unsafe {
                    let v = S::load(x.as_ptr());
                    let r = match function {
                        Function::Exp => exp::<S>(v),
                        Function::Sigmoid => sigmoid::<S>(v),
                        Function::Tanh => tanh::<S>(v),
                        Function::Gelu => gelu::<S>(v),
                        Function::GeluDerivative => gelu_derivative::<S>(v),
                        Function::GeluTanh => gelu_tanh::<S>(v),
                        Function::GeluTanhDerivative => gelu_tanh_derivative::<S>(v),
                        Function::SiluDerivative => silu_derivative::<S>(v),
                    };
                    S::store(y.as_mut_ptr(), r);
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
        // SAFETY: callers pass supported levels.
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
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
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
}
