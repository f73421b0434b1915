//! The handwritten kernels, which work on slices and use no type of burn.
//!
//! The functions check the lengths of their slices and are safe to call. Work is divided into chunks that
//! depend on shapes only, each output element is written by one chunk, and sums over chunks are added in order,
//! so results do not depend on the number of threads.

pub(crate) mod activation;
pub(crate) mod adamw;
pub(crate) mod attention;
pub(crate) mod cross_entropy;
pub(crate) mod dropout;
pub(crate) mod embedding;
pub(crate) mod floats;
pub(crate) mod frozen;
pub(crate) mod gated;
pub(crate) mod gemm;
pub(crate) mod int8;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod lora;
pub(crate) mod moments;
pub(crate) mod parallel;
pub(crate) mod reduce;
pub(crate) mod rotary;
mod team;
