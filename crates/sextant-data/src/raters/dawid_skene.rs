//! The model of Dawid and Skene (1979): each rater confuses grades in a way of his or her own, and the true grades
//! and the raters' confusions are estimated together.

use super::{Rating, counts};
use sextant_core::Grade;

const GRADES: usize = Grade::COUNT;
/// The most rounds of expectation and maximisation.
const ROUNDS: usize = 200;
/// The end: no probability changes by more than this.
const TOLERANCE: f64 = 1e-9;
/// The least probability of a confusion, so that one rating never rules a grade out.
const LEAST: f64 = 1e-10;

/// What was estimated.
#[derive(Debug, Clone, PartialEq)]
pub struct DawidSkene {
    /// The probability of each grade of each item.
    pub posteriors: Vec<[f64; GRADES]>,
    /// The share of each grade.
    pub prevalence: [f64; GRADES],
    /// For each rater, the probability of saying a grade (inner index) where another is true (outer index).
    pub confusions: Vec<[[f64; GRADES]; GRADES]>,
    /// How many rounds were run.
    pub rounds: usize,
}

impl DawidSkene {
    /// The most probable grade of an item; of equals, the lowest.
    pub fn grade(&self, item: usize) -> Grade {
        let posterior = &self.posteriors[item];
        let mut best = Grade::Irrelevant;
        for grade in Grade::ALL {
            if posterior[grade.index()] > posterior[best.index()] {
                best = grade;
            }
        }
        best
    }
}

/// Estimates by expectation–maximisation, which starts from the shares of each item's ratings. An item without
/// ratings keeps the prevalence.
pub fn dawid_skene(ratings: &[Rating], items: usize, raters: usize) -> DawidSkene {
    let mut posteriors: Vec<[f64; GRADES]> = counts(ratings, items)
        .into_iter()
        .map(|counts| normalised(counts.map(f64::from)).unwrap_or([1.0 / GRADES as f64; GRADES]))
        .collect();
    let mut rounds = 0;
    loop {
        let (prevalence, confusions) = maximised(&posteriors, ratings, raters);
        let next = expected(&prevalence, &confusions, ratings, items);
        let change = posteriors.iter().flatten().zip(next.iter().flatten());
        let change = change.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        posteriors = next;
        rounds += 1;
        if change <= TOLERANCE || rounds == ROUNDS {
            return DawidSkene { posteriors, prevalence, confusions, rounds };
        }
    }
}

type Confusions = Vec<[[f64; GRADES]; GRADES]>;

fn maximised(
    posteriors: &[[f64; GRADES]],
    ratings: &[Rating],
    raters: usize,
) -> ([f64; GRADES], Confusions) {
    let sums = std::array::from_fn(|grade| posteriors.iter().map(|p| p[grade]).sum());
    let prevalence = normalised(sums).unwrap_or([1.0 / GRADES as f64; GRADES]);
    let mut confusions = vec![[[0.0; GRADES]; GRADES]; raters];
    for rating in ratings {
        let posterior = &posteriors[rating.item as usize];
        for (row, p) in confusions[rating.rater as usize].iter_mut().zip(posterior) {
            row[rating.grade.index()] += p;
        }
    }
    for row in confusions.iter_mut().flatten() {
        *row = normalised(*row).unwrap_or([1.0 / GRADES as f64; GRADES]);
    }
    (prevalence, confusions)
}

fn expected(
    prevalence: &[f64; GRADES],
    confusions: &Confusions,
    ratings: &[Rating],
    items: usize,
) -> Vec<[f64; GRADES]> {
    let mut logs = vec![prevalence.map(|p| p.max(LEAST).ln()); items];
    for rating in ratings {
        let confusion = &confusions[rating.rater as usize];
        for (log, row) in logs[rating.item as usize].iter_mut().zip(confusion) {
            *log += row[rating.grade.index()].max(LEAST).ln();
        }
    }
    let exp = |logs: [f64; GRADES]| {
        let most = logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
        logs.map(|log| (log - most).exp())
    };
    // One of the three is exp(0), so that the sum is at least 1.
    logs.into_iter().map(|logs| normalised(exp(logs)).unwrap_or(*prevalence)).collect()
}

/// Numbers divided by their sum; `None` if that is 0.
fn normalised(numbers: [f64; GRADES]) -> Option<[f64; GRADES]> {
    let sum: f64 = numbers.iter().sum();
    (sum > 0.0).then(|| numbers.map(|number| number / sum))
}
