//! One training that runs in several processes ("ranks").
//!
//! Packs are spread, not rows: every rank draws the same batch, because the sampler is a pure function, and
//! lays it out in the same packs ([`plan_packs`](crate::plan_packs)); [`rounds`] says which rank runs which
//! pack. Dropout is keyed by a pack's place in the plan and losses are divided by the weight of the whole
//! batch, so that a pack's gradient does not depend on the rank that computes it. [`SpreadSums`] adds the
//! gradients up, and every rank then makes the same optimizer step.
//!
//! A [`Reducer`] is how ranks talk: what one process does alone is the body [`Alone`], and other bodies are
//! the business of other crates.

mod alike;
mod dev;
mod exchange;
mod packets;
mod parameters;
mod rounds;
mod sums;

pub(crate) use alike::{check_alike, check_checkpoint, check_weights, warn_of_idle_ranks};
pub(crate) use dev::{gather_predictions, predict_dev};
pub(crate) use exchange::Exchange;
pub(crate) use packets::Kind;
pub(crate) use parameters::bring_parameters;
pub(crate) use rounds::rounds;
pub(crate) use sums::{Running, SpreadParameters, SpreadSums};

use crate::metered::Stopwatch;
use crate::{Alone, Reducer, ReductionOrder};

/// How the packs of a step are spread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread<'a> {
    pub(crate) reducer: &'a dyn Reducer,
    pub(crate) order: ReductionOrder,
    /// How long whoever computes has waited for gradients to be exchanged.
    pub(crate) waited: &'a Stopwatch,
}

/// The time that a process alone waits for others.
static NEVER: Stopwatch = Stopwatch::new();

impl Spread<'_> {
    /// All packs run in this process.
    pub(crate) const ALONE: Spread<'static> =
        Spread { reducer: &Alone, order: ReductionOrder::Fixed, waited: &NEVER };
}
