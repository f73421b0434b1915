//! The table of one metric over many runs, as a value.

use crate::{LabError, RunFacts};
use serde::{Serialize, Serializer};
use sextant_core::Task;
use sextant_eval::{Estimate, Metric};

/// One metric: a row for each run, a column for each slice of the data. The JSON of this type is
/// the machine's form of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonTable {
    /// The metric of the table's numbers.
    pub metric: Metric,
    /// Coverage of the intervals, such as 0.95; absent without intervals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<f64>,
    /// The six tasks, then all rows pooled.
    pub columns: Vec<ComparisonColumn>,
    /// Baselines, then runs as they were added.
    pub rows: Vec<Row>,
}

/// A slice of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// One task.
    Task(Task),
    /// All rows together.
    Pooled,
}

impl Slice {
    /// The name of the task, or `pooled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task(task) => task.as_str(),
            Self::Pooled => "pooled",
        }
    }
}

impl Serialize for Slice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ComparisonColumn {
    /// The slice that the column is about.
    pub slice: Slice,
    /// How many rows were evaluated; 0 where no run answers the task.
    pub rows: usize,
}

/// What a row of the table stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// A rule that needs no training.
    Baseline,
    /// A trained model.
    Run,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The run's name.
    pub name: String,
    /// Run or baseline.
    pub kind: RowKind,
    /// A cell for each column; `None` where the run does not answer the column's rows or the metric is
    /// undefined.
    pub cells: Vec<Option<TableCell>>,
    /// The facts of the run's training; absent for baselines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<RunFacts>,
}

/// A number of the table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TableCell {
    /// The value with its interval.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Whether no row of the table has a better value in this column.
    pub best: bool,
}

impl TableCell {
    pub(crate) fn new(estimate: Estimate) -> Self {
        Self { estimate, best: false }
    }
}

impl ComparisonTable {
    /// The table as indented JSON, with a line break at the end.
    pub fn to_json(&self) -> Result<String, LabError> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        Ok(json)
    }
}
