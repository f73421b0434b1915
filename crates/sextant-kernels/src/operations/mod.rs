//! The operations of the crate's root: they check shapes, then run a kernel or the composed body.

mod frozen;
mod layers;
mod loss;
mod optimizer;
mod pack;
mod row_gradient;
mod scores;

pub use frozen::{frozen_embedding, frozen_linear};
pub use layers::{
    add_layer_norm, dropout, gated, linear, linear_packed, linear_reusing, rms_norm, sum,
};
pub use loss::cross_entropy;
pub use optimizer::{adamw, adamw_rows, dot, sum_of_squares};
pub use pack::{attention, embedding, embedding_rows, rotary};
pub use scores::{capped_attention, relative_attention};

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::device::has_kernels;
use crate::flex::Maybe;

/// An optional tensor for the backend extension.
fn maybe<const D: usize>(tensor: Option<Tensor<D>>) -> Maybe<Dispatch> {
    tensor.map_or(Maybe::Absent, |tensor| Maybe::Given(tensor.into_dispatch()))
}
