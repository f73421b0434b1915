//! What each operation computes, written with burn's own operations.
//!
//! These functions are the reference that the handwritten kernels are tested against, and they run on
//! devices without kernels. Gradients come from burn's autodiff. Shapes are not checked here; call the
//! functions of the crate's root instead.

mod attention;
mod cross_entropy;
mod instead;
mod optimizer;
mod packed;
mod pointwise;
mod rotary;

pub use attention::{
    AttentionScores, attention, attention_scores, capped_attention, relative_attention,
};
pub use cross_entropy::cross_entropy;
pub use instead::instead_of_kernels;
pub use optimizer::{adamw, dot};
pub use packed::linear_packed;
pub use pointwise::{
    activate, add_layer_norm, dropout, embedding, frozen_linear, gated, linear, rms_norm, sum,
};
pub use rotary::rotary;

use burn::tensor::{DType, Tensor};

use crate::Precision;

pub(crate) use instead::replaces;

/// The tensor in the number format `dtype`.
fn with_dtype<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    if x.dtype() == dtype { x } else { x.cast(dtype) }
}

/// The tensor as `f32`, the format in which everything except matrix products is computed.
pub fn full<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_dtype(x, DType::F32)
}

/// The tensor in the format in which a precision stores values between operations.
fn stored<const D: usize>(x: Tensor<D>, precision: Precision) -> Tensor<D> {
    match precision {
        Precision::F32 => full(x),
        Precision::Bf16 => with_dtype(x, DType::BF16),
    }
}
