//! The functions of the crate's root and their implementations: one file for each operation, or for a few
//! operations that are alike. A function checks shapes and calls [`run`](run::run).

mod attention;
mod cross_entropy;
mod dropout;
mod embedding;
mod frozen_linear;
mod gated;
mod linear;
mod linear_packed;
mod norms;
mod optimizer;
mod rotary;
mod row_gradient;
mod run;

pub use attention::{attention, capped_attention, relative_attention};
pub use cross_entropy::cross_entropy;
pub use dropout::{dropout, sum};
pub use embedding::{embedding, embedding_rows, frozen_embedding};
pub use frozen_linear::frozen_linear;
pub use gated::gated;
pub use linear::{linear, linear_reusing};
pub use linear_packed::linear_packed;
pub use norms::{add_layer_norm, rms_norm};
pub use optimizer::{adamw, adamw_rows, adamw_stored, dot, sum_of_squares};
pub use rotary::rotary;
