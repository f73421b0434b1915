//! Histograms of scores, and how far two of them are apart.

use serde::{Deserialize, Serialize};

/// The number of bins of a [`ScoreHistogram`], of equal width.
const BINS: usize = 10;

/// How many scores fall into each tenth of [0, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScoreHistogram([u64; BINS]);

impl ScoreHistogram {
    /// Adds a score. One outside of [0, 1] counts as the nearest that is inside; NaN counts as 0.
    pub fn add(&mut self, score: f32) {
        self.0[((score * BINS as f32) as usize).min(BINS - 1)] += 1;
    }

    /// The number of scores.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Halves all counts, so that scores of before count half as much as those that follow.
    pub fn halve(&mut self) {
        self.0.iter_mut().for_each(|count| *count /= 2);
    }

    /// The population stability index of this histogram against a reference: the sum over bins of
    /// `(p - q) ln(p / q)`, where `p` and `q` are the shares of the bin (Siddiqi 2006). Of each share, a hundredth is
    /// spread evenly over the bins, so that none is empty. 0 if the shares are the same; by custom, more than 0.25 is
    /// a large change.
    /// `None` if one of the two has no score.
    pub fn stability_index(&self, reference: &Self) -> Option<f64> {
        if self.total() == 0 || reference.total() == 0 {
            return None;
        }
        let share = |histogram: &Self, bin: usize| {
            0.99 * histogram.0[bin] as f64 / histogram.total() as f64 + 0.01 / BINS as f64
        };
        let bins = (0..BINS).map(|bin| (share(self, bin), share(reference, bin)));
        Some(bins.map(|(p, q)| (p - q) * (p / q).ln()).sum())
    }
}

impl FromIterator<f32> for ScoreHistogram {
    fn from_iter<I: IntoIterator<Item = f32>>(scores: I) -> Self {
        let mut histogram = Self::default();
        scores.into_iter().for_each(|score| histogram.add(score));
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_fall_into_tenths() {
        let histogram = ScoreHistogram::from_iter([0.0, 0.05, 0.1, 0.95, 1.0, 1.5, -1.0, f32::NAN]);
        assert_eq!(histogram.0, [4, 1, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(histogram.total(), 8);
        assert_eq!(serde_json::to_string(&histogram).unwrap(), "[4,1,0,0,0,0,0,0,0,3]");
    }

    #[test]
    fn the_index_grows_with_the_distance_and_is_symmetric() {
        let of = |low: u64, high: u64| {
            let mut histogram = ScoreHistogram::default();
            (histogram.0[0], histogram.0[9]) = (low, high);
            histogram
        };
        let index = |a: ScoreHistogram, b: ScoreHistogram| a.stability_index(&b).unwrap();
        let found = index(of(75, 25), of(25, 75));
        // Shares of 0.75 and 0.25, with their hundredth spread.
        let (p, q) = (0.7435_f64, 0.2485_f64);
        assert!((found - 2.0 * (p - q) * (p / q).ln()).abs() < 1e-12, "{found}");
        assert_eq!(index(of(75, 25), of(25, 75)), index(of(25, 75), of(75, 25)));
        assert_eq!(index(of(50, 50), of(500, 500)), 0.0);
        assert!(index(of(60, 40), of(50, 50)) < 0.25 && found > 0.25);
        assert_eq!(of(1, 1).stability_index(&ScoreHistogram::default()), None);
    }
}
