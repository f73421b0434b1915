//! What can be wrong with a wish for a market.

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
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A conflict rule that cannot grade its task.
    #[error(
        "`conflict`: rule {rule:?} needs details on both sides, and {task} has types, which have none; \
         use rule `inverted`, or task query-product, query-query or product-product"
    )]
    RuleDoesNotFit {
        /// The rule asked for.
        rule: Rule,
        /// The task that it cannot grade.
        task: Task,
    },
}
