//! A pair of entities, and the labelled example that training and evaluation read.

use crate::name::named;
use crate::{Behaviour, Entity, Grade, Task};
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
    /// The rows that a model is trained on.
    Train,
    /// The rows that decisions are made on: early stopping, calibration, hyper-parameters.
    Dev,
    /// The rows that final results are reported on, once.
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

/// A pair with its grade, and what else is known about its row in a file.
///
/// ```
/// use sextant_core::{Example, Grade, Product, Task};
///
/// let sofa = Product {
///     title: "Red velvet sofa".to_owned(),
///     brand: Some("Acme".to_owned()),
///     ..Product::default()
/// };
/// let example = Example::new(Task::QueryProduct, "red sofa", sofa, Grade::Relevant);
/// assert_eq!(example.pair.right.text(), "Red velvet sofa");
/// assert_eq!(example.pair.to_string(), "query-product `red sofa` and `Red velvet sofa`");
/// assert_eq!((example.grade.index(), example.weight), (2, 1.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The pair itself.
    pub pair: Pair,
    /// The grade to predict.
    pub grade: Grade,
    /// The row's name in its file. It is unique among the rows that have one.
    pub id: Option<String>,
    /// The name of a group of rows that belong together: the candidates of one query in ranking metrics, and
    /// the unit of resampling for intervals. All rows of a group are in the same split.
    pub group: Option<String>,
    /// The weight of the row's loss, a finite and positive number; 1 if the file states none.
    pub weight: f32,
    /// The data set that the row was taken from.
    pub source: Option<String>,
    /// Whether people or a rule made the grade.
    pub origin: Option<LabelOrigin>,
    /// The part of the data set that the row belongs to, if the file states one.
    pub split: Option<Split>,
    /// What people did when they were shown the pair, if that was counted.
    pub behaviour: Option<Box<Behaviour>>,
}

impl Example {
    /// An example of which only the pair and the grade are known.
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
            behaviour: None,
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
