//! Normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002).

use sextant_core::Grade;

/// The depth of [`Metric::NdcgAt10`](crate::Metric::NdcgAt10).
pub(crate) const DEPTH: usize = 10;

/// `2^grade - 1`: 0, 1 or 3.
fn gain(grade: Grade) -> f64 {
    f64::from((1_u8 << grade.index()) - 1)
}

/// 1 / log2(rank + 1) for the item at `position` (from 0), and 0 from depth `k` on.
fn discount(position: usize, k: usize) -> f64 {
    if position < k { 1.0 / ((position + 2) as f64).log2() } else { 0.0 }
}

/// NDCG of one ranked list, cut at depth `k`. Items are (true grade, score); a higher score ranks
/// higher. Gains are `2^grade - 1`.
///
/// Items of equal score have no order among themselves: each position they share gets their average
/// gain, which is the expected value over random orders (McSherry and Najork, 2008; scikit-learn's
/// `ndcg_score(ignore_ties=False)`). The result thus never depends on the order of the input.
///
/// `None` where every item is irrelevant (no order is better than another; scikit-learn says 0), and
/// for an empty list or `k` = 0.
pub fn ndcg(items: &[(Grade, f64)], k: usize) -> Option<f64> {
    let mut ideal: Vec<f64> = items.iter().map(|&(grade, _)| gain(grade)).collect();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let best: f64 = ideal.iter().enumerate().map(|(i, gain)| gain * discount(i, k)).sum();
    if best <= 0.0 {
        return None;
    }
    let mut ranked = items.to_vec();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (mut found, mut position) = (0.0, 0);
    for tied in ranked.chunk_by(|a, b| a.1 == b.1) {
        let gains: f64 = tied.iter().map(|&(grade, _)| gain(grade)).sum();
        let discounts: f64 = (position..position + tied.len()).map(|i| discount(i, k)).sum();
        found += gains / tied.len() as f64 * discounts;
        position += tied.len();
    }
    Some(found / best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Grade::{Irrelevant, Partial, Relevant};

    #[test]
    fn hand_worked_list() {
        // Gains in ranked order 1, 3, 0 against the ideal 3, 1, 0.
        let items = [(Relevant, 0.5), (Partial, 0.9), (Irrelevant, 0.1)];
        let second = 1.0 / 3_f64.log2();
        let expected = (1.0 + 3.0 * second) / (3.0 + second);
        assert!((ndcg(&items, 10).unwrap() - expected).abs() < 1e-12);
        // At depth 1 only the first position counts.
        assert!((ndcg(&items, 1).unwrap() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn ties_share_their_gain_in_any_order() {
        let second = 1.0 / 3_f64.log2();
        let expected = 1.5 * (1.0 + second) / 3.0;
        for items in [[(Relevant, 0.5), (Irrelevant, 0.5)], [(Irrelevant, 0.5), (Relevant, 0.5)]] {
            assert!((ndcg(&items, 10).unwrap() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn lists_that_cannot_be_ranked_have_no_value() {
        assert_eq!(ndcg(&[], 10), None);
        assert_eq!(ndcg(&[(Irrelevant, 0.1), (Irrelevant, 0.2)], 10), None);
        assert_eq!(ndcg(&[(Relevant, 0.1)], 0), None);
        assert_eq!(ndcg(&[(Relevant, 0.1)], 10), Some(1.0));
    }
}
