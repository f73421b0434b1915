//! A model's answer for one pair.

use crate::Grade;
use serde::{Deserialize, Serialize};

/// The probabilities of the three grades for one pair, which sum to 1, and the grade that follows from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The probability of each grade, indexed by [`Grade::index`].
    pub probs: [f32; Grade::COUNT],
    /// The grade, if a rule other than the largest probability decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decided: Option<Grade>,
}

impl Prediction {
    /// A prediction whose grade is the most probable one.
    pub const fn new(probs: [f32; Grade::COUNT]) -> Self {
        Self { probs, decided: None }
    }

    /// The same probabilities with the grade that a rule decided, or, with `None`, the most probable grade.
    #[must_use]
    pub fn decided_as(self, grade: Option<Grade>) -> Self {
        Self { decided: grade, ..self }
    }

    /// The predicted grade: the one that a [`DecisionRule`](crate::DecisionRule) decided if the model has
    /// one, else [the most probable](Prediction::most_probable).
    pub fn grade(&self) -> Grade {
        self.decided.unwrap_or_else(|| self.most_probable())
    }

    /// The grade that a rule decided, if one did.
    pub const fn decided(&self) -> Option<Grade> {
        self.decided
    }

    /// Whether the probabilities are finite numbers, none of them negative, that sum to 1 but for rounding (0.001).
    pub fn is_distribution(&self) -> bool {
        let sum: f64 = self.probs.iter().map(|&p| f64::from(p)).sum();
        // Written so that NaN fails the check.
        self.probs.iter().all(|&p| p >= 0.0) && (sum - 1.0).abs() <= 1e-3
    }

    /// The most probable grade. Of equally probable grades, it is the lowest.
    pub fn most_probable(&self) -> Grade {
        let mut best = Grade::Irrelevant;
        for grade in Grade::ALL {
            if self.probs[grade.index()] > self.probs[best.index()] {
                best = grade;
            }
        }
        best
    }

    /// The expected grade, in [0, 2].
    pub fn expected_grade(&self) -> f32 {
        self.probs[1] + 2.0 * self.probs[2]
    }

    /// The relevance score: the expected grade divided by 2, in [0, 1].
    pub fn score(&self) -> f32 {
        self.expected_grade() / 2.0
    }

    /// The probability of the predicted grade.
    pub fn confidence(&self) -> f32 {
        self.probs[self.grade().index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn score_is_half_the_expected_grade() {
        let p = Prediction::new([0.2, 0.3, 0.5]);
        assert_eq!(p.grade(), Grade::Relevant);
        assert!((p.expected_grade() - 1.3).abs() < 1e-6);
        assert!((p.score() - 0.65).abs() < 1e-6);
        assert_eq!(p.confidence(), 0.5);
    }

    #[test]
    fn ties_take_the_lower_grade() {
        assert_eq!(Prediction::new([0.4, 0.4, 0.2]).grade(), Grade::Irrelevant);
        assert_eq!(Prediction::new([0.2, 0.4, 0.4]).grade(), Grade::Partial);
    }
}
