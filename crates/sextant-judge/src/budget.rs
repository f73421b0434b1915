//! What a run may cost.

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
    }
}

impl Spent {
    /// Tokens of both kinds.
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The greater of both in each kind.
    pub(crate) fn most(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.max(other.input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
        }
    }

    /// So many times as much.
    fn times(self, count: u64) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_mul(count),
            output_tokens: self.output_tokens.saturating_mul(count),
        }
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

/// What a run may spend, together with the runs that its folder holds. No pair is asked about that would go beyond it
/// if its answer, and all that are under way, take as much as the largest one so far; the first is asked about alone.
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

    fn has_limit(&self) -> bool {
        self.tokens.is_some() || self.cost.is_some()
    }

    fn allows(&self, spent: Spent) -> bool {
        self.tokens.is_none_or(|most| spent.tokens() <= most)
            && self.cost.is_none_or(|most| self.prices.cost(spent) <= most)
    }

    /// What is left after so much was spent.
    #[must_use]
    pub fn less(&self, spent: Spent) -> Self {
        Self {
            tokens: self.tokens.map(|most| most.saturating_sub(spent.tokens())),
            cost: self.cost.map(|most| most - self.prices.cost(spent)),
            prices: self.prices,
        }
    }
}

/// A budget that threads spend together.
pub(crate) struct Purse {
    budget: Budget,
    state: Mutex<State>,
    settled: Condvar,
}

struct State {
    spent: Spent,
    /// The most that an answer took so far; `None` before the first.
    largest: Option<Spent>,
    under_way: u64,
    closed: bool,
}

impl Purse {
    /// A budget of which so much was spent, on answers of which the largest took `largest`.
    pub(crate) fn new(budget: Budget, spent: Spent, largest: Option<Spent>) -> Self {
        let state = State { spent, largest, under_way: 0, closed: false };
        Self { budget, state: Mutex::new(state), settled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is kept here are counts, each of which is whole also after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more pair may be asked about. Waits while that depends on what is under way. Whoever is told so says
    /// afterwards what it took ([`Purse::settle`]).
    pub(crate) fn reserve(&self) -> bool {
        let mut state = self.lock();
        while !state.closed {
            let unknown = state.largest.is_none() && self.budget.has_limit();
            let mut expected = state.spent;
            expected += state.largest.unwrap_or_default().times(state.under_way + 1);
            let alone = state.under_way == 0;
            if self.budget.allows(expected) && (alone || !unknown) {
                state.under_way += 1;
                return true;
            }
            if alone {
                return false;
            }
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    /// Says what came of a reservation.
    pub(crate) fn settle(&self, spent: Spent) {
        let mut state = self.lock();
        state.under_way = state.under_way.saturating_sub(1);
        state.spent += spent;
        state.largest = Some(state.largest.unwrap_or_default().most(spent));
        self.settled.notify_all();
    }

    /// Nothing more may be asked.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.settled.notify_all();
    }
}
