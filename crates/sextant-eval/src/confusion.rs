//! The confusion matrix and what follows from it alone.

use sextant_core::Grade;

/// Weight of the rows of each true grade (outer index) and predicted grade (inner index).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Confusion(pub(crate) [[f64; Grade::COUNT]; Grade::COUNT]);

/// Precision, recall and F1 of one grade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClassScores {
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
}

/// `a / b`, and 0 where b is 0: scikit-learn's `zero_division=0`.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

impl Confusion {
    /// Weight of the rows that are of this grade.
    pub(crate) fn support(&self, grade: usize) -> f64 {
        self.0[grade].iter().sum()
    }

    /// Weight of the rows that are predicted to be of this grade.
    fn predicted(&self, grade: usize) -> f64 {
        self.0.iter().map(|row| row[grade]).sum()
    }

    fn total(&self) -> f64 {
        self.0.iter().flatten().sum()
    }

    pub(crate) fn accuracy(&self) -> f64 {
        (0..Grade::COUNT).map(|k| self.0[k][k]).sum::<f64>() / self.total()
    }

    pub(crate) fn class(&self, grade: usize) -> ClassScores {
        let (hits, support, predicted) =
            (self.0[grade][grade], self.support(grade), self.predicted(grade));
        ClassScores {
            precision: ratio(hits, predicted),
            recall: ratio(hits, support),
            f1: ratio(2.0 * hits, support + predicted),
        }
    }

    pub(crate) fn macro_f1(&self) -> f64 {
        (0..Grade::COUNT).map(|k| self.class(k).f1).sum::<f64>() / Grade::COUNT as f64
    }

    /// Cohen's kappa: 1 minus observed over expected disagreement, each cell (i, j) weighed by
    /// `cost(i, j)`. `None` where no disagreement is expected: truth and predictions are all of one
    /// grade.
    pub(crate) fn kappa(&self, cost: impl Fn(usize, usize) -> f64) -> Option<f64> {
        let total = self.total();
        let (mut observed, mut expected) = (0.0, 0.0);
        for i in 0..Grade::COUNT {
            for j in 0..Grade::COUNT {
                observed += cost(i, j) * self.0[i][j];
                expected += cost(i, j) * self.support(i) * self.predicted(j) / total;
            }
        }
        (expected > 0.0).then(|| 1.0 - observed / expected)
    }
}

/// The cost of unweighted kappa: 1 off the diagonal.
pub(crate) fn nominal_cost(i: usize, j: usize) -> f64 {
    f64::from(u8::from(i != j))
}

/// The cost of quadratic-weighted kappa: the squared distance of the grades.
pub(crate) fn quadratic_cost(i: usize, j: usize) -> f64 {
    let distance = i.abs_diff(j) as f64;
    distance * distance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_of_a_hand_worked_table() {
        let table = Confusion([[4.0, 0.0, 0.0], [1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]);
        // Agreement 7 of 9. Supports 4, 3, 2 and predicted 5, 3, 1: chance (20 + 9 + 2) / 81.
        let chance = 31.0 / 81.0;
        let expected = (7.0 / 9.0 - chance) / (1.0 - chance);
        assert!((table.kappa(nominal_cost).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn kappa_is_undefined_where_all_is_one_grade() {
        let mut table = Confusion::default();
        table.0[2][2] = 5.0;
        assert_eq!(table.kappa(nominal_cost), None);
        assert_eq!(table.kappa(quadratic_cost), None);
        assert_eq!(table.accuracy(), 1.0);
        assert_eq!(table.macro_f1(), 1.0 / 3.0);
    }

    #[test]
    fn constant_predictions_agree_no_better_than_chance() {
        let table = Confusion([[0.0, 3.0, 0.0], [0.0, 4.0, 0.0], [0.0, 5.0, 0.0]]);
        assert!(table.kappa(nominal_cost).unwrap().abs() < 1e-12);
        assert_eq!(table.class(0).precision, 0.0);
        assert_eq!(table.class(0).f1, 0.0);
        assert_eq!(table.class(1).recall, 1.0);
    }
}
