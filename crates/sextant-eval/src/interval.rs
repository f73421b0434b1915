//! The uncertainty of a number.

use serde::{Deserialize, Serialize};

/// The range between two percentiles of the bootstrap distribution. The point estimate may lie
/// outside where the metric is biased in resamples, as ECE of a well calibrated model is (upward).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}
