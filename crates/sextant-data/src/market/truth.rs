//! From two meanings to a grade.

use super::meaning::{Agreement, Meaning, Relation};
use serde::{Deserialize, Serialize};
use sextant_core::{Grade, Task};

/// How a task grades its pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The one rule of the market: far types 0; near types 1; the same type 2 where all details
    /// agree, else 1.
    #[default]
    Standard,
    /// The standard rule upside down: 2 becomes 0 and 0 becomes 2.
    Inverted,
    /// Types are ignored: 2 where all details agree, 1 where some do, 0 where none does. Only for
    /// tasks whose sides both have details.
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

    /// Whether the rule can tell this task's pairs apart.
    pub fn fits(self, task: Task) -> bool {
        self != Self::DetailsOnly
            || matches!(task, Task::QueryProduct | Task::QueryQuery | Task::ProductProduct)
    }
}

/// One task that disagrees with the others: a control for experiments about task routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// The task that goes its own way.
    pub task: Task,
    /// How it does.
    pub rule: Rule,
}
