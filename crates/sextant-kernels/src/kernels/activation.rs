//! Activations of vectors, and their derivatives.

use crate::Activation;
use crate::simd::{self, Simd};

/// Applies an activation to a vector.
#[inline(always)]
pub(crate) fn activate<S: Simd>(simd: S, activation: Activation, z: S::V) -> S::V {
    match activation {
        Activation::None => z,
        Activation::Gelu => simd::gelu(simd, z),
        Activation::GeluTanh => simd::gelu_tanh(simd, z),
        Activation::Silu => simd.mul(z, simd::sigmoid(simd, z)),
        Activation::Tanh => simd::tanh(simd, z),
    }
}

/// The derivative of an activation.
#[inline(always)]
pub(crate) fn derivative<S: Simd>(simd: S, activation: Activation, z: S::V) -> S::V {
    match activation {
        Activation::None => simd.splat(1.0),
        Activation::Gelu => simd::gelu_derivative(simd, z),
        Activation::GeluTanh => simd::gelu_tanh_derivative(simd, z),
        Activation::Silu => simd::silu_derivative(simd, z),
        Activation::Tanh => {
            let t = simd::tanh(simd, z);
            simd.fnma(t, t, simd.splat(1.0))
        }
    }
}
