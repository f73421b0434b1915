//! What an evaluation found, as a value that is saved, compared and printed.

use crate::interval::Interval;
use crate::{EvalError, Metric, ReliabilityBin};
use serde::{Deserialize, Serialize};
use sextant_core::{Grade, Task};
use std::collections::BTreeMap;

/// A number, with its interval where one was asked for and can be computed. In JSON one object:
/// `{"value": …, "low": …, "high": …}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number computed on the rows themselves, without resampling.
    pub value: f64,
    /// Its bootstrap interval. Absent without resampling, and for a slice of one group.
    #[serde(flatten)]
    pub interval: Option<Interval>,
}

/// How well one grade is found. A ratio whose denominator is 0 is 0 (scikit-learn:
/// `zero_division=0`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The grade, 0 to 2.
    pub grade: Grade,
    /// Of the rows predicted to be of this grade, the share that are of this grade.
    pub precision: Estimate,
    /// Of the rows of this grade, the share that are predicted to be of this grade.
    pub recall: Estimate,
    /// Harmonic mean of precision and recall.
    pub f1: Estimate,
    /// Weight of the rows of this grade: their number where every row weighs 1.
    pub support: f64,
}

/// A table of metrics. `None` (`null`) where a metric is undefined on these rows; absent where it
/// was not asked for.
pub type Estimates = BTreeMap<Metric, Option<Estimate>>;

/// All metrics of a slice of the rows: one task, or all rows together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskMetrics {
    /// Number of rows.
    pub rows: usize,
    /// Units of resampling: distinct groups, and rows without a group.
    pub groups: usize,
    /// The number of ranked lists that NDCG averages over: groups of two or more rows within one task,
    /// not all of which are irrelevant.
    pub ranked_lists: usize,
    /// The metrics.
    pub metrics: Estimates,
    /// Precision, recall and F1 of each grade, lowest grade first.
    pub classes: [ClassMetrics; Grade::COUNT],
    /// Weight of the rows of each true grade (outer index) and predicted grade (inner index): their
    /// number where every row weighs 1.
    pub confusion: [[f64; Grade::COUNT]; Grade::COUNT],
    /// Confidence against accuracy, lowest confidence first.
    pub reliability: Vec<ReliabilityBin>,
}

impl TaskMetrics {
    /// A metric with its interval; `None` where it is undefined or was not asked for.
    pub fn estimate(&self, metric: Metric) -> Option<Estimate> {
        self.metrics.get(&metric).copied().flatten()
    }

    /// A metric's value; `None` where it is undefined or was not asked for.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.estimate(metric).map(|estimate| estimate.value)
    }
}

/// Which rows were evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// The name by which people know the rows: a recipe, a file, a split.
    pub name: String,
    /// SHA-256 of its bytes in hexadecimal, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// The result of [`evaluate`](crate::evaluate).
///
/// ```
/// use sextant_core::{Grade, Prediction, Task};
/// use sextant_eval::{EvalOptions, Metric, Scored, evaluate};
///
/// let row = |grade, probs| Scored::new(Task::QueryProduct, grade, Prediction::new(probs));
/// let rows = [
///     row(Grade::Relevant, [0.1, 0.2, 0.7]),
///     row(Grade::Partial, [0.2, 0.5, 0.3]),
///     row(Grade::Irrelevant, [0.3, 0.6, 0.1]),
/// ];
/// let report = evaluate(&rows, &EvalOptions::quick())?;
/// assert_eq!(report.pooled.value(Metric::Accuracy), Some(2.0 / 3.0));
/// // The irrelevant row was predicted to be partial.
/// assert_eq!(report.pooled.confusion[Grade::Irrelevant.index()], [0.0, 1.0, 0.0]);
/// # Ok::<(), sextant_eval::EvalError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalReport {
    /// Version of this format: [`EvalReport::VERSION`].
    pub version: u32,
    /// Which rows were evaluated, where the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<Dataset>,
    /// How the intervals were made; absent without intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<crate::Bootstrap>,
    /// All rows together: the micro average, where a task counts as much as it has rows.
    pub pooled: TaskMetrics,
    /// The plain mean over tasks: each task counts the same. A task where a metric is undefined is
    /// left out of that metric's mean.
    pub macro_average: Estimates,
    /// Each task that has rows.
    pub tasks: BTreeMap<Task, TaskMetrics>,
}

impl EvalReport {
    /// The format version that this program writes and reads.
    pub const VERSION: u32 = 1;

    /// A metric of the plain mean over tasks; `None` where it is undefined or was not asked for.
    pub fn macro_value(&self, metric: Metric) -> Option<f64> {
        self.macro_average.get(&metric).copied().flatten().map(|estimate| estimate.value)
    }

    /// The report as indented JSON, ending in a line break. The same report gives the same bytes.
    pub fn to_json(&self) -> Result<String, EvalError> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        Ok(json)
    }

    /// Reads what [`EvalReport::to_json`] wrote. A report of another format version is an error
    /// that says so.
    pub fn from_json(json: &str) -> Result<Self, EvalError> {
        #[derive(Deserialize)]
        struct Header {
            version: u64,
        }
        // The version is read first: a report of another version may not parse as this struct at all.
        let found = serde_json::from_str::<Header>(json)?.version;
        if found != u64::from(Self::VERSION) {
            let fix = if found > u64::from(Self::VERSION) {
                "use the newer program that wrote it"
            } else {
                "evaluate again"
            };
            return Err(EvalError::Version { found, known: Self::VERSION, fix });
        }
        Ok(serde_json::from_str(json)?)
    }
}
