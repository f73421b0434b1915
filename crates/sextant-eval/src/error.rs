//! What can be wrong with the input of an evaluation, a comparison or a saved report.

use sextant_core::{Grade, Task};

/// Why an evaluation, a comparison or the reading of a report failed.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// Nothing to evaluate.
    #[error("there are no rows to evaluate; check the split and the tasks that were selected")]
    NoRows,
    /// A prediction that is not a probability distribution.
    #[error(
        "row {index} (task {task}): the probabilities {probs:?} are not finite, non-negative numbers \
         that sum to 1{}",
        diverged(probs)
    )]
    Probabilities {
        /// Position of the row in the input, from 0.
        index: usize,
        /// Its task.
        task: Task,
        /// What was found.
        probs: [f32; Grade::COUNT],
    },
    /// A grade above the highest one that a measure knows.
    #[error(
        "query `{query}`, document `{document}`: grade {grade} is above {max}, the highest grade of {measure}; {fix}"
    )]
    GradeAboveMax {
        /// The measure's name.
        measure: String,
        /// The highest grade that it knows.
        max: u32,
        /// The judged query.
        query: String,
        /// The judged document.
        document: String,
        /// Its grade.
        grade: i64,
        /// What to do about it.
        fix: String,
    },
    /// A weight that is not a finite positive number.
    #[error("row {index}: the weight {weight} is not a finite positive number")]
    Weight {
        /// Position of the row in the input, from 0.
        index: usize,
        /// What was found.
        weight: f32,
    },
    /// Settings of the bootstrap that give no interval.
    #[error(
        "bootstrap of {replicates} replicates at level {level}: needs at least 2 replicates and a \
         level strictly between 0 and 1, such as 0.95"
    )]
    Bootstrap {
        /// Number of replicates asked for.
        replicates: usize,
        /// Level asked for.
        level: f64,
    },
    /// Two systems to compare that answered different numbers of rows.
    #[error(
        "the first system answered {first} rows and the second {second}; a paired comparison needs the same rows in the same order"
    )]
    RowCount {
        /// Rows of the first system.
        first: usize,
        /// Rows of the second system.
        second: usize,
    },
    /// Two systems to compare that answered different rows.
    #[error(
        "row {index} differs in {what} between the two systems; a paired comparison needs the same rows in the same order"
    )]
    RowMismatch {
        /// Position of the row, from 0.
        index: usize,
        /// What differs: `task`, `grade`, `group` or `weight`.
        what: &'static str,
    },
    /// A saved report of another format.
    #[error(
        "the evaluation report has format version {found}, this program reads version {known}; {fix}"
    )]
    Version {
        /// The version that was found.
        found: u64,
        /// The version that this program reads.
        known: u32,
        /// What to do about it.
        fix: &'static str,
    },
    /// Text that is not a report.
    #[error("not an evaluation report: {0}; write one with `sextant eval --out`")]
    Json(#[from] serde_json::Error),
}

/// What NaN among probabilities means where a model has answered; other numbers come from elsewhere.
fn diverged(probs: &[f32]) -> &'static str {
    if probs.iter().any(|p| p.is_nan()) {
        "; a model that answers NaN has diverged: lower its learning rate"
    } else {
        "; are they of another program, or rounded?"
    }
}
