//! How a grade is decided from probabilities, where the most probable grade is not the best choice.

use crate::{Grade, Prediction, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Two thresholds on the expected grade: below the first a pair is irrelevant, from the second on it is
/// relevant, and partial in between.
///
/// The most probable grade is the best guess where only the number of right answers counts. A model that has
/// seen few irrelevant pairs hardly ever finds that grade the most probable, although its expected grade tells
/// these pairs from others. Thresholds that were fitted on dev rows find them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stated")]
pub struct DecisionRule {
    thresholds: [f32; 2],
}

/// The rule of each task that has one; the other tasks take the most probable grade.
pub type Decisions = BTreeMap<Task, DecisionRule>;

/// A rule as a file states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    thresholds: [f32; 2],
}

impl TryFrom<Stated> for DecisionRule {
    type Error = String;

    fn try_from(stated: Stated) -> Result<Self, String> {
        Self::new(stated.thresholds)
    }
}

impl DecisionRule {
    /// A rule with these thresholds.
    ///
    /// # Errors
    /// The thresholds are not finite numbers in ascending order (they may be equal: then no pair is partial).
    pub fn new(thresholds: [f32; 2]) -> Result<Self, String> {
        let [low, high] = thresholds;
        if low.is_finite() && high.is_finite() && low <= high {
            return Ok(Self { thresholds });
        }
        Err(format!(
            "the thresholds {thresholds:?} of a decision rule are not two numbers in ascending order"
        ))
    }

    /// The thresholds, the lower one first.
    pub const fn thresholds(&self) -> [f32; 2] {
        self.thresholds
    }

    /// The grade of a pair with this expected grade.
    pub fn grade_of(&self, expected_grade: f32) -> Grade {
        let [low, high] = self.thresholds;
        if expected_grade < low {
            Grade::Irrelevant
        } else if expected_grade < high {
            Grade::Partial
        } else {
            Grade::Relevant
        }
    }

    /// The prediction with the grade that this rule decides. The probabilities stay as they are.
    #[must_use]
    pub fn decide(&self, prediction: Prediction) -> Prediction {
        prediction.decided_as(Some(self.grade_of(prediction.expected_grade())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_decide_and_probabilities_stay() {
        let rule = DecisionRule::new([0.8, 1.2]).unwrap();
        let unsure = Prediction::new([0.3, 0.4, 0.3]);
        assert_eq!(rule.decide(unsure).grade(), Grade::Partial);
        let low = Prediction::new([0.42, 0.45, 0.13]);
        assert_eq!((low.grade(), rule.decide(low).grade()), (Grade::Partial, Grade::Irrelevant));
        assert_eq!(rule.decide(low).probs, low.probs);
        // A threshold belongs to the grade above it.
        assert_eq!([0.8, 1.2, 2.0].map(|e| rule.grade_of(e).index()), [1, 2, 2]);
    }

    #[test]
    fn thresholds_out_of_order_are_refused_wherever_they_come_from() {
        for wrong in ["[1.2, 0.8]", "[0.5, null]", "[0.5]"] {
            let json = format!("{{\"thresholds\": {wrong}}}");
            assert!(serde_json::from_str::<DecisionRule>(&json).is_err(), "{wrong}");
        }
        assert!(DecisionRule::new([f32::NAN, 1.0]).unwrap_err().contains("ascending"));
        let rule = DecisionRule::new([0.5, 0.5]).unwrap();
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(serde_json::from_str::<DecisionRule>(&json).unwrap(), rule);
    }
}
