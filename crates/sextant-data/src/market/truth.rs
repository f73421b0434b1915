//! The grade of two meanings.

use super::meaning::{Agreement, Meaning, Relation};
use serde::{Deserialize, Serialize};
use sextant_core::{Grade, Task};

/// How a task grades its pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The usual rule of the market: far types have grade 0, near types have grade 1, and the same type has
    /// grade 2 if all details agree, otherwise 1.
    #[default]
    Standard,
    /// The standard rule with its grades reversed: 2 becomes 0, and 0 becomes 2.
    Inverted,
    /// Types are ignored: the grade is 2 if all details agree, 1 if some agree, and 0 if none agrees. Only
    /// for tasks in which both sides have details.
    DetailsOnly,
}

impl Rule {
    /// The grade of a pair.
    pub fn grade(self, task: Task, left: &Meaning, right: &Meaning) -> Grade {
        let agreement = left.agreement(task, right);
        match self {
            Self::Standard => match (left.node.relation(right.node), agreement) {
                (Relation::Far, _) => Grade::Irrelevant,
                (Relation::Same, Agreement::All) => Grade::Relevant,
                (Relation::Same | Relation::Near, _) => Grade::Partial,
            },
            Self::Inverted => match Self::Standard.grade(task, left, right) {
                Grade::Irrelevant => Grade::Relevant,
                Grade::Partial => Grade::Partial,
                Grade::Relevant => Grade::Irrelevant,
            },
            Self::DetailsOnly => match agreement {
                Agreement::None => Grade::Irrelevant,
                Agreement::Some => Grade::Partial,
                Agreement::All => Grade::Relevant,
            },
        }
    }

    /// Whether the rule can grade the pairs of this task.
    pub fn fits(self, task: Task) -> bool {
        self != Self::DetailsOnly
            || matches!(task, Task::QueryProduct | Task::QueryQuery | Task::ProductProduct)
    }
}

/// One task whose grades contradict those of the others: a control for experiments with task routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// The task with another rule.
    pub task: Task,
    /// The rule by which it grades.
    pub rule: Rule,
}
