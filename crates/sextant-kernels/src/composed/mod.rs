//! What each operation computes, written with burn's own operations.
//!
//! These bodies are the reference that the handwritten kernels are tested against, and they are
//! what runs on devices without such kernels. Gradients come from burn's autodiff. Shapes are not
//! checked here; call the functions of the crate's root instead.

mod attention;
mod cross_entropy;
mod optimizer;
mod packed;
mod pointwise;
mod rotary;

pub use attention::{attention, capped_attention, relative_attention};
pub use cross_entropy::cross_entropy;
pub use optimizer::{adamw, dot};
pub use packed::linear_packed;
pub use pointwise::{
    activate, add_layer_norm, dropout, embedding, frozen_linear, gated, linear, rms_norm,
};
pub use rotary::rotary;
