//! Effect sizes: how large the difference between two systems is, beyond whether there is one.

use crate::McNemar;
use crate::binomial::upper_limit;
use serde::{Deserialize, Serialize};

/// Cohen's h of two shares (Cohen 1988, chapter 6), positive where the second is larger: the difference
/// of `2 arcsin √share`, so that a step near 0 or 1 counts for more than one in the middle. It lies
/// between −π and π; by Cohen's convention 0.2 is small, 0.5 medium, 0.8 large.
pub fn cohens_h(first: f64, second: f64) -> f64 {
    // Rounding may put a share that was computed as a mean outside [0, 1].
    let angle = |share: f64| 2.0 * share.clamp(0.0, 1.0).sqrt().asin();
    angle(second) - angle(first)
}

/// McNemar's conditional odds ratio: of the rows that exactly one of two systems gets right, the number
/// that the second gets right over the number that the first gets right. It is the odds ratio of matched
/// pairs, given the number of such rows (Agresti, *Categorical Data Analysis*, §11.2). Like McNemar's
/// test, it assumes that rows are independent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OddsRatio {
    /// The ratio; `None` where it is infinite, as the first system is right on no row that the second
    /// gets wrong.
    pub value: Option<f64>,
    /// Lower end of its interval; 0 where the second system is right on no row that the first gets
    /// wrong.
    pub low: f64,
    /// Upper end; `None` where it is infinite.
    pub high: Option<f64>,
}

impl McNemar {
    /// The odds ratio of these counts, with an exact interval of at least this coverage, such as 0.95:
    /// the interval of Clopper and Pearson (1934) for the second system's binomial share, converted to
    /// odds. It contains 1 exactly where the exact p-value is at least `1 - level` (Fay 2010, *Two-sided
    /// exact tests and matching confidence intervals for discrete data*). `None` where the systems are
    /// right on the same rows.
    pub fn odds_ratio(&self, level: f64) -> Option<OddsRatio> {
        let (first, second) = (self.only_first, self.only_second);
        let n = first + second;
        let tail = (1.0 - level) / 2.0;
        (n > 0).then(|| OddsRatio {
            value: (first > 0).then(|| second as f64 / first as f64),
            low: if second > 0 { (-upper_limit(first, n, tail)).exp() } else { 0.0 },
            high: (first > 0).then(|| upper_limit(second, n, tail).exp()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn a_share_of_one_is_pi_away_from_none() {
        assert!((cohens_h(0.0, 1.0) - PI).abs() < 1e-12);
        assert_eq!(cohens_h(1.0 + 1e-16, 1.0), 0.0);
        assert_eq!(cohens_h(0.3, 0.6), -cohens_h(0.6, 0.3));
        assert!(cohens_h(0.9, 0.95) > cohens_h(0.5, 0.55));
    }

    #[test]
    fn one_sided_counts_have_an_end_without_an_interval() {
        assert_eq!(McNemar::new(0, 0).odds_ratio(0.95), None);
        // P(X ≤ 0 of 3) = (1 - p)³ is 0.025 at p = 0.7076: odds 2.4201.
        let none = McNemar::new(3, 0).odds_ratio(0.95).unwrap();
        let limit = 0.025_f64.powf(-1.0 / 3.0) - 1.0;
        assert_eq!((none.value, none.low), (Some(0.0), 0.0));
        assert!((none.high.unwrap() - limit).abs() < 1e-9);
        let all = McNemar::new(0, 3).odds_ratio(0.95).unwrap();
        assert_eq!((all.value, all.high), (None, None));
        assert!((all.low - 1.0 / limit).abs() < 1e-9);
    }

    #[test]
    fn the_interval_agrees_with_the_exact_test() {
        for (first, second) in [(0, 5), (0, 6), (3, 11), (2, 11), (40, 60), (39, 61), (61, 39)] {
            let test = McNemar::new(first, second);
            let interval = test.odds_ratio(0.95).unwrap();
            let holds_one = interval.low <= 1.0 && interval.high.is_none_or(|high| 1.0 <= high);
            assert_eq!(holds_one, test.exact_p >= 0.05, "{test:?} {interval:?}");
        }
    }
}
