//! What moved beyond noise: intervals of ratios of times, from ranks alone.
//!
//! Times on a busy machine have long tails and no known distribution, and there are few rounds. Both intervals
//! hold for any distribution, and exactly: their coverage is a sum of binomial or rank probabilities, and not an
//! approximation for large numbers.

/// The coverage that is asked for.
const WANTED: f64 = 0.95;

/// An interval of the ratio of two times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    /// The estimate.
    pub(crate) ratio: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The probability that such an interval holds the true ratio.
    pub(crate) coverage: f64,
}

impl Interval {
    /// Whether the true ratio is not 1, by this interval.
    pub(crate) fn moved(self) -> bool {
        self.low > 1.0 || self.high < 1.0
    }

    fn of(sorted: &[f64], skipped: usize, coverage: f64) -> Self {
        let (middle, last) = (sorted.len() / 2, sorted.len() - 1);
        let even = sorted.len().is_multiple_of(2);
        let below = if even { sorted[middle - 1] } else { sorted[middle] };
        let ratio = f64::midpoint(below, sorted[middle]);
        Self { ratio, low: sorted[skipped], high: sorted[last - skipped], coverage }
    }
}

/// The median of `theirs / ours` over rounds that ran both, with the interval between two order statistics: of
/// `n` ratios, each is below the true median with probability one half, so that the `k`-th least is above it
/// as often as fewer than `k` of `n` coins show heads. `None` without rounds.
pub(crate) fn paired(ours: &[f64], theirs: &[f64]) -> Option<Interval> {
    let mut ratios: Vec<f64> =
        ours.iter().zip(theirs).map(|(ours, theirs)| theirs / ours).collect();
    ratios.sort_by(f64::total_cmp);
    let n = ratios.len();
    let chances = binomial(n);
    let (skipped, coverage) = widest_skip(&chances, n.checked_sub(1)? / 2);
    Some(Interval::of(&ratios, skipped, coverage))
}

/// The ratio of times that were measured apart: the median of all quotients (Hodges and Lehmann 1963), with the
/// interval that the rank sum test of Mann and Whitney (1947) gives. `None` if either has no times.
pub(crate) fn unpaired(ours: &[f64], theirs: &[f64]) -> Option<Interval> {
    let mut ratios: Vec<f64> =
        theirs.iter().flat_map(|theirs| ours.iter().map(move |ours| theirs / ours)).collect();
    ratios.sort_by(f64::total_cmp);
    let most = ratios.len().checked_sub(1)? / 2;
    let (skipped, coverage) = widest_skip(&rank_sums(ours.len(), theirs.len()), most);
    Some(Interval::of(&ratios, skipped, coverage))
}

/// How many values may be left out at either end for the coverage that is asked for, and the coverage then. With
/// too few values for it, none is left out, and the coverage is less.
fn widest_skip(chances: &[f64], most: usize) -> (usize, f64) {
    let coverage = |skipped: usize| 1.0 - 2.0 * chances[..=skipped].iter().sum::<f64>();
    let skipped = (0..=most).rev().find(|&skipped| coverage(skipped) >= WANTED).unwrap_or(0);
    (skipped, coverage(skipped).max(0.0))
}

/// The probability of each number of heads of `n` coins.
fn binomial(n: usize) -> Vec<f64> {
    let mut chances = vec![1.0];
    for _ in 0..n {
        let tails = chances.iter().chain(&[0.0]);
        let heads = [0.0].iter().chain(&chances);
        chances = tails.zip(heads).map(|(a, b)| (a + b) / 2.0).collect();
    }
    chances
}

/// The probability of each number of pairs in which the first of two samples of equal distribution is the
/// greater one.
fn rank_sums(m: usize, n: usize) -> Vec<f64> {
    // counts[j][u]: the orders of i values of one and j of the other sample with u such pairs.
    let mut counts = vec![vec![0.0; m * n + 1]; n + 1];
    for counts in &mut counts {
        counts[0] = 1.0;
    }
    for _ in 0..m {
        // The greatest value of all is the first sample's, above all j of the second, or it is the second's.
        let before = counts.clone();
        for j in 0..=n {
            for u in 0..=m * n {
                let first = if u >= j { before[j][u - j] } else { 0.0 };
                let second = if j > 0 { counts[j - 1][u] } else { 0.0 };
                counts[j][u] = first + second;
            }
        }
    }
    let all: f64 = counts[n].iter().sum();
    counts[n].iter().map(|count| count / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverages_are_those_of_tables() {
        let times = |n: usize| (1..=n).map(|i| i as f64).collect::<Vec<_>>();
        let ones = |n: usize| vec![1.0; n];
        // Conover 1999, table A3, and 1 - 2 / 2^n where nothing is left out.
        for (n, low, coverage) in
            [(5, 1.0, 0.9375), (6, 1.0, 0.96875), (9, 2.0, 0.9609), (12, 3.0, 0.9614)]
        {
            let found = paired(&ones(n), &times(n)).unwrap();
            assert_eq!((found.low, found.high), (low, n as f64 + 1.0 - low), "{n}");
            assert!((found.coverage - coverage).abs() < 1e-4, "{n}: {found:?}");
        }
        // With 5 and 5 values, two or fewer of the 25 pairs have probability 4 / 252, the published critical
        // value being 2.
        let chances = rank_sums(5, 5);
        assert!((chances[..=2].iter().sum::<f64>() - 4.0 / 252.0).abs() < 1e-12);
        assert!((rank_sums(3, 4).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let found = unpaired(&ones(5), &times(5)).unwrap();
        assert_eq!((found.ratio, found.low, found.high), (3.0, 1.0, 5.0));
        assert!(found.coverage >= 0.95);
    }

    #[test]
    fn only_what_differs_in_every_order_has_moved() {
        let ours = [100.0, 130.0, 90.0, 110.0, 95.0, 105.0];
        let slower: Vec<f64> = ours.iter().map(|time| time * 1.1).collect();
        let found = paired(&ours, &slower).unwrap();
        assert!(found.moved() && (found.ratio - 1.1).abs() < 1e-12, "{found:?}");
        let mut mixed = slower.clone();
        mixed[3] = 80.0;
        assert!(!paired(&ours, &mixed).unwrap().moved());
        // Apart, the noise between rounds hides a tenth, and half as much again is seen.
        assert!(!unpaired(&ours, &slower).unwrap().moved());
        let far: Vec<f64> = ours.iter().map(|time| time * 1.5).collect();
        assert!(unpaired(&ours, &far).unwrap().moved());
        assert_eq!((paired(&[], &[]), unpaired(&[1.0], &[])), (None, None));
    }
}
