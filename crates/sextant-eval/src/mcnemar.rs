//! McNemar's test: do two systems err equally often on the same rows?

use crate::binomial::log_cdf;
use serde::{Deserialize, Serialize};

/// McNemar's test (1947) on rows that exactly one of two systems gets right. It takes rows to be
/// independent; where groups matter, trust the paired bootstrap over groups instead.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that only the first system gets right.
    pub only_first: u64,
    /// Rows that only the second system gets right.
    pub only_second: u64,
    /// Two-sided exact p-value: the binomial test of whether these rows are divided evenly between the
    /// two counts. 1 where there are no such rows.
    pub exact_p: f64,
    /// `(|b - c| - 1)² / (b + c)` for the two counts b and c, with Edwards' continuity correction; 0
    /// where b = c.
    pub corrected_statistic: f64,
    /// The p-value of `corrected_statistic` against χ² with one degree of freedom. It is approximate,
    /// and good from about 25 such rows on.
    pub corrected_p: f64,
}

impl McNemar {
    /// The test for these two counts.
    pub fn new(only_first: u64, only_second: u64) -> Self {
        let n = only_first + only_second;
        // Where the counts are equal, also where both are 0, the correction would make the excess
        // negative.
        let excess = (only_first.abs_diff(only_second) as f64 - 1.0).max(0.0);
        let corrected_statistic = if n == 0 { 0.0 } else { excess * excess / n as f64 };
        Self {
            only_first,
            only_second,
            // P(X ≤ k), doubled, for a binomial X with n trials of even odds.
            exact_p: (2.0 * log_cdf(only_first.min(only_second), n, 0.0).exp()).min(1.0),
            corrected_statistic,
            // The upper tail of χ² with one degree of freedom.
            corrected_p: libm::erfc((corrected_statistic / 2.0).sqrt()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_worked_counts() {
        // P(X ≤ 1 of 5) = 6/32; the statistic is (3 - 1)² / 5.
        let test = McNemar::new(4, 1);
        assert!((test.exact_p - 12.0 / 32.0).abs() < 1e-12);
        assert!((test.corrected_statistic - 0.8).abs() < 1e-12);
    }

    #[test]
    fn systems_that_cannot_be_told_apart_have_p_one() {
        for n in [0, 1, 50] {
            let test = McNemar::new(n, n);
            assert_eq!((test.exact_p, test.corrected_p), (1.0, 1.0), "{n}");
            assert_eq!(test.corrected_statistic, 0.0);
        }
    }

    #[test]
    fn the_first_and_second_may_change_places() {
        let (there, back) = (McNemar::new(30, 11), McNemar::new(11, 30));
        assert_eq!(there.exact_p, back.exact_p);
        assert_eq!(there.corrected_p, back.corrected_p);
    }
}
