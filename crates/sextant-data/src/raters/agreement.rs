//! Coefficients of agreement beyond chance.

use super::{Rating, counts};
use sextant_core::Grade;

/// Fleiss' kappa (1971) over items with at least two ratings. Where the number of ratings differs from item to
/// item, an item's agreement is the share of agreeing pairs of its ratings, and the expected agreement comes
/// from the shares of grades among all ratings; with equal numbers this is Fleiss' own formula.
///
/// `None` where no item has two ratings, or all ratings are one grade.
pub fn fleiss_kappa(ratings: &[Rating]) -> Option<f64> {
    let counts = rated_twice(ratings);
    if counts.is_empty() {
        return None;
    }
    let agreeing = counts.iter().map(|counts| {
        let rated: f64 = counts.iter().sum();
        counts.iter().map(|n| n * (n - 1.0)).sum::<f64>() / (rated * (rated - 1.0))
    });
    let observed = agreeing.sum::<f64>() / counts.len() as f64;
    let totals = totals(&counts);
    let all: f64 = totals.iter().sum();
    let expected: f64 = totals.iter().map(|total| (total / all).powi(2)).sum();
    (expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
}

/// How far apart two grades count as, in Krippendorff's alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// Equal or not.
    Nominal,
    /// By how many ratings lie between two grades.
    Ordinal,
    /// The square of the difference.
    Interval,
}

/// Krippendorff's alpha (2011) over items with at least two ratings. `None` where there is no such item, or all
/// ratings are one grade.
pub fn krippendorff_alpha(ratings: &[Rating], distance: Distance) -> Option<f64> {
    let counts = rated_twice(ratings);
    let totals = totals(&counts);
    let all: f64 = totals.iter().sum();
    let delta = |a: usize, b: usize| -> f64 {
        match distance {
            Distance::Nominal => f64::from(u8::from(a != b)),
            Distance::Interval => (a as f64 - b as f64).powi(2),
            Distance::Ordinal => {
                let (low, high) = (a.min(b), a.max(b));
                let between: f64 = totals[low..=high].iter().sum();
                (between - f64::midpoint(totals[low], totals[high])).powi(2)
            }
        }
    };
    let (mut observed, mut expected) = (0.0, 0.0);
    for a in 0..Grade::COUNT {
        for b in 0..Grade::COUNT {
            if a == b {
                continue;
            }
            let pairs = counts.iter().map(|n| n[a] * n[b] / (n.iter().sum::<f64>() - 1.0));
            observed += pairs.sum::<f64>() * delta(a, b);
            expected += totals[a] * totals[b] / (all - 1.0) * delta(a, b);
        }
    }
    (expected > 0.0).then(|| 1.0 - observed / expected)
}

/// How often each grade was given to each item that has at least two ratings.
fn rated_twice(ratings: &[Rating]) -> Vec<[f64; Grade::COUNT]> {
    let items = ratings.iter().map(|rating| rating.item as usize + 1).max().unwrap_or(0);
    let counts = counts(ratings, items).into_iter();
    let twice = counts.filter(|counts| counts.iter().sum::<u32>() >= 2);
    twice.map(|counts| counts.map(f64::from)).collect()
}

fn totals(counts: &[[f64; Grade::COUNT]]) -> [f64; Grade::COUNT] {
    std::array::from_fn(|grade| counts.iter().map(|counts| counts[grade]).sum())
}
