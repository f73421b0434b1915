//! What a run may cost.

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// The tokens of requests and answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Tokens of the requests.
    pub input_tokens: u64,
    /// Tokens of the answers.
    pub output_tokens: u64,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
    }
}

impl Spent {
    /// Tokens of both kinds.
    pub fn tokens(&self) -> u64 {
        self.input_tokens + self.output_tokens
    }
}

/// The prices of a million tokens, in any currency.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Prices {
    /// Of the requests.
    pub input: f64,
    /// Of the answers.
    pub output: f64,
}

impl Prices {
    /// What was spent, in the currency of the prices.
    pub fn cost(&self, spent: Spent) -> f64 {
        (self.input * spent.input_tokens as f64 + self.output * spent.output_tokens as f64) / 1e6
    }
}

/// What a run may spend, together with the runs that its folder holds. Requests that are under way when the
/// budget is met are answered still.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// The most tokens; `None` for no limit.
    pub tokens: Option<u64>,
    /// The most that may be spent by the prices; `None` for no limit.
    pub cost: Option<f64>,
    /// The prices.
    pub prices: Prices,
}

impl Budget {
    /// Whether no more may be asked after so much was spent.
    pub fn is_met(&self, spent: Spent) -> bool {
        self.tokens.is_some_and(|most| spent.tokens() >= most)
            || self.cost.is_some_and(|most| self.prices.cost(spent) >= most)
    }
}
