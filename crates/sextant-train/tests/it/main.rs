//! Training from a recipe to a bundle, with tiny models on the synthetic market.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod accumulation;
mod behaviour;
mod common;
mod consistency;
mod failure;
mod learning;
mod lora;
mod parameters;
mod ranks;
mod resume;
mod sampler;
mod spread;
mod thread_ranks;
mod threads;
mod weighting;
