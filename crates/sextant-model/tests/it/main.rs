//! What the model crate promises, checked through its public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod behaviour;
mod bf16;
mod bundle;
mod checkpoints;
mod concurrency;
mod contradiction;
mod distillation;
mod export;
mod exported_pairs;
mod families;
mod goldens;
mod layer_distillation;
mod lora;
mod loss;
mod minilm;
mod minilm_gradients;
mod mixture;
mod nonfinite;
mod peft;
mod perplexity;
mod prefixes;
mod routing;
mod rows;
mod saving;
mod strict;
mod strict_config;
mod support;
mod taken_weights;
mod tokenizers;
mod torch;
