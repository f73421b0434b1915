//! Errors of the configuration of a market or of its examples.

use super::truth::Rule;
use sextant_core::Task;

/// A configuration that no market can meet.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MarketError {
    /// A number is outside its range.
    #[error("`{key}` is {found}; set it to {expected}")]
    OutOfRange {
        /// The configuration key.
        key: &'static str,
        /// The value of the key.
        found: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// The conflict's rule cannot grade its task.
    #[error(
        "`conflict`: rule {rule:?} needs details on both sides, and {task} has types, which have none; \
         use rule `inverted`, or task query-product, query-query or product-product"
    )]
    RuleDoesNotFit {
        /// The rule of the conflict.
        rule: Rule,
        /// The task that it cannot grade.
        task: Task,
    },
}
