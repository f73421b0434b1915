//! The tensor operations that burn lacks, each with its gradient.
//!
//! Sextant trains on *packs*: rows of different lengths laid end to end in one `[tokens, hidden]`
//! tensor, bounded by [`Segments`]. A transformer over a pack needs few operations, and this crate
//! has one function for each, on plain burn tensors:
//!
//! * [`embedding`], [`linear`] (with bias and activation), [`frozen_linear`] (with LoRA factors),
//!   [`add_layer_norm`], [`rms_norm`], [`rotary`], [`attention`], [`gated`] and [`dropout`] for the model, and
//!   [`cross_entropy`] for its loss,
//! * [`relative_attention`] and [`capped_attention`] for model families that change the attention scores,
//! * [`linear_packed`] for scoring, with weights that are packed once, in 8 bits if wanted,
//! * [`adamw`] and [`dot`] for the optimizer, [`embedding_rows`] and [`adamw_rows`] for large vocabularies, where
//!   few rows of the embedding table have a gradient in each step, and [`adamw_stored`] for moments in fewer bits.
//!
//! [`CachingAllocator`] keeps the buffers of a step for the next one.
//!
//! Every operation has a *composed* body made of burn's own operations ([`composed`]), which defines what the
//! operation computes and runs on any device.
//!
//! The public functions check shapes: a call with tensors that do not fit together panics with a message that
//! names the operation, the tensors and their shapes. Results never depend on the number of threads.

#![expect(
    unsafe_code,
    reason = "vector instructions and shared buffers; each block says why it is sound"
)]
#![allow(
    clippy::inline_always,
    reason = "only inlined code may use the vector instructions of its entry point"
)]

mod activation;
mod adamw;
mod allocator;
pub mod composed;
mod cross_entropy;
mod device;
mod dropout;
mod flex;
mod frozen_format;
mod frozen_weight;
mod kernels;
mod lora;
mod moments;
mod operation;
mod operations;
mod packed_weight;
#[cfg(feature = "profile")]
mod peak;
mod precision;
mod processor;
#[cfg(feature = "profile")]
pub mod profile;
mod relative;
mod reused_weight;
mod rotary;
mod row_gradient;
mod row_moments;
mod segments;
pub mod simd;
mod spec;
mod unknown_precision;

pub use activation::Activation;
pub use adamw::AdamWStep;
pub use allocator::{CachingAllocator, release_free_blocks};
pub use cross_entropy::ClassTargets;
pub use device::has_kernels;
pub use dropout::Dropout;
pub use frozen_format::FrozenFormat;
pub use frozen_weight::{FrozenWeight, FrozenWeightError, WeakFrozenWeight};
pub use kernels::parallel::{on_this_thread, within_pool};
pub use lora::LoraFactors;
pub use moments::{Moment, MomentFormat, MomentLine, MomentNumbers, Moments};
pub use operations::{
    adamw, adamw_rows, adamw_stored, add_layer_norm, attention, capped_attention, cross_entropy,
    dot, dropout, embedding, embedding_rows, frozen_embedding, frozen_linear, gated, linear,
    linear_packed, linear_reusing, relative_attention, rms_norm, rotary, sum, sum_of_squares,
};
pub use packed_weight::PackedWeight;
#[cfg(feature = "profile")]
pub use peak::peak;
pub use precision::{Precision, ScorePrecision};
pub use processor::Processor;
pub use relative::RelativePositions;
pub use reused_weight::ReusedWeight;
pub use rotary::Rotary;
pub use row_gradient::{RowGradient, RowGradientSink, UntouchedRows};
pub use row_moments::RowMoments;
pub use segments::{Segments, SegmentsError};
pub use spec::{AttentionSpec, Mask};
pub use unknown_precision::UnknownPrecision;
