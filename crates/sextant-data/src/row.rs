//! One row of a file: a pair, and the row's other values.

use serde_json::Value;
use sextant_core::{Behaviour, Example, Grade, LabelOrigin, Pair, Split};

/// One row of a data file, labelled or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The position of the row in its file, from 1: the line in text files, the row in Parquet.
    pub line: u64,
    /// The pair.
    pub pair: Pair,
    /// The grade, if the row has one.
    pub grade: Option<Grade>,
    /// The row's identifier.
    pub id: Option<String>,
    /// The group that the row belongs to; see [`Example::group`].
    pub group: Option<String>,
    /// The weight of the row's loss; 1 unless the row states another.
    pub weight: f32,
    /// The data set that the row was taken from.
    pub source: Option<String>,
    /// Whether people or a rule assigned the grade.
    pub origin: Option<LabelOrigin>,
    /// The split of the data set that the row belongs to.
    pub split: Option<Split>,
    /// What people did when they were shown the pair; absent unless the row states how often it was shown.
    pub behaviour: Option<Box<Behaviour>>,
    /// The names and texts of columns without a meaning, if [`ReadOptions::further`](crate::ReadOptions::further)
    /// asks for them. Empty and absent values are left out.
    pub further: Vec<(String, String)>,
}

impl Row {
    /// The columns that Sextant interprets, in the order in which they are written.
    pub const COLUMNS: [&str; 15] = [
        "id",
        "task",
        "left",
        "right",
        "grade",
        "group",
        "weight",
        "source",
        "origin",
        "split",
        "impressions",
        "clicks",
        "add_to_carts",
        "purchases",
        "propensity",
    ];

    /// The row as an example of this grade.
    pub fn with_grade(self, grade: Grade) -> Example {
        Example {
            pair: self.pair,
            grade,
            id: self.id,
            group: self.group,
            weight: self.weight,
            source: self.source,
            origin: self.origin,
            split: self.split,
            behaviour: self.behaviour,
        }
    }
}

/// `number` as the shortest decimal that reads back as the same `f32`; null if it is not finite.
///
/// Converting the `f32` to `f64` directly would print 0.1 as 0.10000000149011612.
pub fn json_number(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact() {
        for number in [0.1_f32, 1.0, 0.333_333_34, 1e-20, f32::MAX, 16_777_217.0] {
            let value = json_number(number);
            assert_eq!(value.as_f64().unwrap() as f32, number);
            assert!(value.to_string().len() <= number.to_string().len() + 2, "{value}");
        }
        assert_eq!(json_number(f32::NAN), Value::Null);
    }
}
