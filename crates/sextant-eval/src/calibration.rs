//! Whether a model's confidence matches its accuracy: reliability bins and the expected calibration
//! error.

use serde::{Deserialize, Serialize};

/// Number of bins: 15 of equal width over [0, 1], as in Guo et al., *On Calibration of Modern
/// Neural Networks*, 2017.
pub const RELIABILITY_BINS: usize = 15;

/// The rows whose confidence lies in `(low, high]`. The first bin also holds confidence 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower end, exclusive.
    pub low: f64,
    /// Upper end, inclusive.
    pub high: f64,
    /// Weight of the bin's rows: their number where every row weighs 1.
    pub count: f64,
    /// Mean confidence of these rows; `None` where there are none.
    pub mean_confidence: Option<f64>,
    /// Share of these rows that is predicted correctly; `None` where there are none.
    pub accuracy: Option<f64>,
}

/// The bin of a confidence: `(k/15, (k+1)/15]` is bin k.
pub(crate) fn bin_of(confidence: f64) -> usize {
    // An f32 times 15 is exact in f64, so no value can fall into its neighbour's bin. The lower end
    // saturates at 0; a sum of probabilities rounded above 1 stays in the last bin.
    ((confidence * RELIABILITY_BINS as f64).ceil() as usize)
        .saturating_sub(1)
        .min(RELIABILITY_BINS - 1)
}

/// Weighted sums over the rows of a bin.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BinSum {
    pub(crate) weight: f64,
    pub(crate) confidence: f64,
    pub(crate) correct: f64,
}

/// `Σ_bins (weight / total) · |accuracy - mean confidence|`, which is `Σ |correct - confidence|`
/// over the total weight.
pub(crate) fn expected_calibration_error(bins: &[BinSum], total: f64) -> f64 {
    let gap: f64 = bins.iter().map(|bin| (bin.correct - bin.confidence).abs()).sum();
    gap / total
}

/// The bins for the report.
pub(crate) fn reliability(bins: &[BinSum]) -> Vec<ReliabilityBin> {
    let width = 1.0 / RELIABILITY_BINS as f64;
    let row = |(k, bin): (usize, &BinSum)| {
        let mean = |sum: f64| (bin.weight > 0.0).then(|| sum / bin.weight);
        ReliabilityBin {
            low: k as f64 * width,
            high: (k + 1) as f64 * width,
            count: bin.weight,
            mean_confidence: mean(bin.confidence),
            accuracy: mean(bin.correct),
        }
    };
    bins.iter().enumerate().map(row).collect()
}
