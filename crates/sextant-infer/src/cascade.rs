//! A cascade: a small model answers where it is sure, and a larger one elsewhere.

use serde::{Deserialize, Serialize};
use sextant_core::{Prediction, Task};
use std::collections::BTreeMap;

/// Which members of an ensemble answer first, and when the others are asked.
///
/// The members of each stage vote by the ensemble's rule. The answer of the first stage stands if its largest
/// probability is above the threshold of the row's task; otherwise the answer of the second stage takes its
/// place. A task that only one of the stages answers is answered by that stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cascade {
    /// How many members, from the first on, form the first stage. The other members form the second one.
    pub first_stage: usize,
    /// The threshold of each task, in [0, 1]. With 0, as for a task that is not named, the first stage always
    /// answers; with 1 the second one does.
    #[serde(default)]
    pub thresholds: BTreeMap<Task, f32>,
}

impl Cascade {
    /// Whether the second stage takes over from a first stage that gave this answer.
    pub fn passes_on(&self, task: Task, answer: &Prediction) -> bool {
        let threshold = self.thresholds.get(&task).copied().unwrap_or(0.0);
        confidence(answer) <= threshold
    }

    /// What is wrong with the cascade of an ensemble of so many members.
    pub(crate) fn problem(&self, members: usize) -> Option<String> {
        if self.first_stage == 0 || self.first_stage >= members {
            return Some(format!(
                "the cascade's `first_stage` is {} of {members} members; each of the two stages needs one",
                self.first_stage
            ));
        }
        let wrong = self.thresholds.iter().find(|(_, at)| !(0.0..=1.0).contains(*at));
        wrong.map(|(task, at)| format!("the cascade's threshold {at} of `{task}` is not in [0, 1]"))
    }
}

/// The confidence by which a cascade decides: the largest probability, whatever grade a rule decides.
pub fn confidence(answer: &Prediction) -> f32 {
    answer.probs[answer.most_probable().index()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_decide_by_task_and_unusable_ones_are_refused() {
        let thresholds = [(Task::QueryType, 0.7), (Task::TypeType, 1.0)].into();
        let cascade = Cascade { first_stage: 1, thresholds };
        let sure = Prediction::new([0.1, 0.1, 0.8]);
        let unsure = Prediction::new([0.2, 0.7, 0.1]);
        assert!(cascade.passes_on(Task::QueryType, &unsure));
        assert!(!cascade.passes_on(Task::QueryType, &sure));
        assert!(cascade.passes_on(Task::TypeType, &Prediction::new([0.0, 0.0, 1.0])));
        assert!(!cascade.passes_on(Task::QueryQuery, &unsure), "a task without a threshold");
        assert_eq!(cascade.problem(2), None);
        assert!(cascade.problem(1).is_some_and(|problem| problem.contains("1 of 1 members")));
        for at in [-0.1, 1.1, f32::NAN] {
            let wrong = Cascade { first_stage: 1, thresholds: [(Task::QueryType, at)].into() };
            assert!(wrong.problem(2).is_some_and(|problem| problem.contains("not in [0, 1]")));
        }
    }
}
