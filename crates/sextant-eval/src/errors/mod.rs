//! Where a model is wrong: its most confident mistakes, labels that are likely wrong themselves, and the slices of
//! the rows on which it does worse than elsewhere.

mod analysis;
mod feature;
mod label_noise;
mod slices;

pub use analysis::{ErrorAnalysis, ErrorOptions, analyse_errors};
pub use feature::Feature;
pub use label_noise::{LabelNoise, label_noise};
pub use slices::{Slice, WorstSlices, slices, worst_slices};
