//! A pair of entities, and the labelled example that training and evaluation read.

use crate::name::named;
use crate::{Entity, Grade, Task};
use serde::{Deserialize, Serialize};

/// Two entities to compare.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair {
    /// Which comparison is asked for.
    pub task: Task,
    /// The entity of the task's first kind.
    pub left: Entity,
    /// The entity of the task's second kind.
    pub right: Entity,
}

/// Which part of a dataset a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Split {
    /// Seen by the optimizer.
    Train,
    /// For choices: early stopping, calibration, hyper-parameters.
    Dev,
    /// For reporting, once.
    Test,
}

named!("split", Split {
    Train = "train" | "training",
    Dev = "dev" | "development" | "validation" | "valid" | "val",
    Test = "test" | "testing",
});

/// Where a label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LabelOrigin {
    /// People judged this pair.
    Human,
    /// A rule derived the grade from other data.
    Derived,
}

named!("label origin", LabelOrigin { Human = "human", Derived = "derived" });

/// A pair with its grade and what is known about the row.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The pair itself.
    pub pair: Pair,
    /// The grade to predict.
    pub grade: Grade,
    /// Names the row in its file; unique where present.
    pub id: Option<String>,
    /// Rows of one group belong together: one query's candidates for ranking metrics, the unit of
    /// resampling for intervals. Groups never cross splits.
    pub group: Option<String>,
    /// The weight of the row's loss; 1 unless stated. Finite and positive.
    pub weight: f32,
    /// The data set that the row was taken from.
    pub source: Option<String>,
    /// Whether people or a rule made the grade.
    pub origin: Option<LabelOrigin>,
    /// The part of the data set, where the file says so.
    pub split: Option<Split>,
}

impl Example {
    /// An example about which nothing but its pair and grade is known.
    pub fn new(
        task: Task,
        left: impl Into<Entity>,
        right: impl Into<Entity>,
        grade: Grade,
    ) -> Self {
        Self {
            pair: Pair { task, left: left.into(), right: right.into() },
            grade,
            id: None,
            group: None,
            weight: 1.0,
            source: None,
            origin: None,
            split: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_shown_by_its_names() {
        let left = "é".repeat(70);
        let pair = Example::new(Task::QueryType, left, " Home > Sofas", Grade::Partial).pair;
        let shown = format!("query-type `{}…` and `Home > Sofas`", "é".repeat(60));
        assert_eq!(pair.to_string(), shown);
    }

    #[test]
    fn splits_have_usual_names_and_one_of_ours() {
        for (name, split) in [
            ("training", Split::Train),
            ("validation", Split::Dev),
            ("valid", Split::Dev),
            ("val", Split::Dev),
            ("development", Split::Dev),
            ("test", Split::Test),
        ] {
            assert_eq!(name.parse(), Ok(split));
        }
        assert_eq!(Split::Dev.as_str(), "dev");
        let error = "holdout".parse::<Split>().unwrap_err().to_string();
        assert!(error.ends_with("expected one of train, dev, test"), "{error}");
    }
}
