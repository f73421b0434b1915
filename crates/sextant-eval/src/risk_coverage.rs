//! One number for a whole abstention curve: the area under risk against coverage.

use crate::Scored;
use crate::abstention::answered;
use serde::{Deserialize, Serialize};

/// How well confidence tells right answers from wrong ones (Geifman, Uziel and El-Yaniv 2019,
/// *Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers*). Both are 0 at best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RiskCoverage {
    /// Area under the risk-coverage curve: the mean over rows of the share of wrong answers among
    /// the rows of at least this row's confidence.
    pub aurc: f64,
    /// The part of `aurc` beyond the area of the best possible confidence, which puts every right answer
    /// above every wrong one: the part of the area that is due to confidence and not to accuracy. The
    /// best area is computed row by row, not by the paper's approximation `r + (1 - r) ln(1 - r)` at
    /// error rate r, so that it is exact for few rows too.
    pub excess_aurc: f64,
}

/// The areas for these rows, each row counted by its weight; `None` without rows.
pub fn risk_coverage(rows: &[Scored<'_>]) -> Option<RiskCoverage> {
    let steps = answered(rows);
    let all = steps.last()?;
    let mut before = 0.0;
    let mut area = 0.0;
    for step in &steps {
        area += (step.weight - before) * (step.weight - step.right) / step.weight;
        before = step.weight;
    }
    // In the best order all right answers come first, without any risk, and then the wrong ones, the
    // lightest first.
    let wrong_rows = rows.iter().filter(|row| !row.is_correct());
    let mut weights: Vec<f64> = wrong_rows.map(|row| f64::from(row.weight)).collect();
    weights.sort_by(f64::total_cmp);
    let (mut wrong, mut least) = (0.0, 0.0);
    for weight in weights {
        wrong += weight;
        least += weight * wrong / (all.right + wrong);
    }
    Some(RiskCoverage { aurc: area / all.weight, excess_aurc: (area - least) / all.weight })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::{Grade, Prediction, Task};

    fn rows(answers: &[(f32, bool)]) -> Vec<Scored<'static>> {
        let row = |&(confidence, right): &(f32, bool)| {
            let rest = (1.0 - confidence) / 2.0;
            let grade = if right { Grade::Irrelevant } else { Grade::Relevant };
            Scored::new(Task::QueryType, grade, Prediction::new([confidence, rest, rest]))
        };
        answers.iter().map(row).collect()
    }

    fn close(found: Option<RiskCoverage>, aurc: f64, excess_aurc: f64) {
        let found = found.unwrap();
        assert!((found.aurc - aurc).abs() < 1e-12, "{found:?}");
        assert!((found.excess_aurc - excess_aurc).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn hand_worked_areas() {
        // Risks 0, 1/2, 1/3, 1/2; at best 0, 0, 1/3, 1/2.
        let found = risk_coverage(&rows(&[(0.6, false), (0.9, true), (0.8, false), (0.7, true)]));
        close(found, (0.5 + 1.0 / 3.0 + 0.5) / 4.0, 0.5 / 4.0);
        // The best order has no excess, the worst has the most.
        let best = risk_coverage(&rows(&[(0.9, true), (0.8, true), (0.7, false), (0.6, false)]));
        close(best, (1.0 / 3.0 + 0.5) / 4.0, 0.0);
        let worst = risk_coverage(&rows(&[(0.9, false), (0.8, false), (0.7, true), (0.6, true)]));
        close(worst, (1.0 + 1.0 + 2.0 / 3.0 + 0.5) / 4.0, (2.0 + 1.0 / 3.0) / 4.0);
    }

    #[test]
    fn no_order_beats_the_best_one_whatever_rows_weigh() {
        for (weights, best) in [([1.0, 1.0, 3.0], true), ([1.0, 3.0, 1.0], false)] {
            let mut some = rows(&[(0.9, true), (0.8, false), (0.7, false)]);
            some.iter_mut().zip(weights).for_each(|(row, weight)| row.weight = weight);
            let excess = risk_coverage(&some).unwrap().excess_aurc;
            assert!(if best { excess.abs() < 1e-12 } else { excess > 0.01 }, "{excess}");
        }
    }

    #[test]
    fn ties_are_answered_together_in_any_order() {
        // Risk 1/2 for both: a confidence that tells nothing.
        close(risk_coverage(&rows(&[(0.8, true), (0.8, false)])), 0.5, 0.25);
        close(risk_coverage(&rows(&[(0.8, false), (0.8, true)])), 0.5, 0.25);
    }

    #[test]
    fn all_right_all_wrong_and_nothing() {
        close(risk_coverage(&rows(&[(0.8, true), (0.6, true)])), 0.0, 0.0);
        close(risk_coverage(&rows(&[(0.8, false), (0.6, false)])), 1.0, 0.0);
        assert_eq!(risk_coverage(&[]), None);
    }

    #[test]
    fn a_weight_counts_as_that_many_tied_rows() {
        let mut weighed = rows(&[(0.9, true), (0.8, false), (0.7, true)]);
        weighed[0].weight = 2.0;
        let plain = rows(&[(0.9, true), (0.9, true), (0.8, false), (0.7, true)]);
        assert_eq!(risk_coverage(&weighed), risk_coverage(&plain));
    }
}
