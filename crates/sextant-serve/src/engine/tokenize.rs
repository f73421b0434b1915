//! The first stage: pairs become rows of tokens.

use super::fair::Fate;
use super::job::{Job, PairFault, QueuedRow, Unit};
use super::stage::Stage;
use super::{Cache, Shared};
use sextant_core::{PairRef, guarded};
use sextant_infer::ScorerRow;
use std::sync::Arc;
use std::time::Instant;

/// The bytes of text that a request may have tokenized before the next request has its turn.
pub(super) const TURN_BYTES: usize = 8 << 10;
/// Pairs that are tokenized together.
const UNIT_PAIRS: usize = 16;

/// The pairs of a request in units, with their costs.
pub(super) fn units(job: &Arc<Job>) -> Vec<(usize, Unit)> {
    let starts = (0..job.pairs.len()).step_by(UNIT_PAIRS);
    starts
        .map(|start| {
            let range = start..job.pairs.len().min(start + UNIT_PAIRS);
            let unit = Unit { job: Arc::clone(job), range };
            (unit.bytes().max(1), unit)
        })
        .collect()
}

/// Tokenizes until the stage is closed and empty.
pub(super) fn run(shared: &Shared) {
    let alive = || |unit: &Unit| if unit.job.is_cancelled() { Fate::Drop } else { Fate::Take };
    // A budget of 1 takes one unit.
    while let Some(units) = shared.units.take(|_, _| 1, alive) {
        for unit in units {
            tokenize(shared, &unit);
        }
    }
}

fn tokenize(shared: &Shared, unit: &Unit) {
    let job = &unit.job;
    let mut rows = Vec::with_capacity(unit.range.len());
    for index in unit.range.clone() {
        if job.is_cancelled() {
            return;
        }
        let Some(pair) = job.pairs.get(index) else { return };
        let known = shared.cache.as_ref().map(|cache| cache.get(&Cache::key(&job.model, pair)));
        if let Some(known) = known {
            shared.meters.looked_up(known.is_some());
            if let Some(answer) = known {
                job.tokenized(0);
                shared.tell(job, index, Ok(answer));
                continue;
            }
        }
        match encode(job, pair.into()) {
            Ok(row) => {
                let (permit, so_far) = job.tokenized(row.tokens());
                if so_far > job.most_tokens {
                    // The request has no answer as a whole, so that none of its other pairs is of use.
                    job.cancel();
                    job.tell(index, Err(PairFault::TooManyTokens));
                    return;
                }
                let queued = Instant::now();
                let cost = row.tokens();
                rows.push((cost, QueuedRow { job: Arc::clone(job), index, row, permit, queued }));
            }
            Err(fault) => {
                job.tokenized(0);
                job.tell(index, Err(fault));
            }
        }
    }
    hand_on(&shared.rows, job, rows);
}

fn encode(job: &Job, pair: PairRef<'_>) -> Result<ScorerRow, PairFault> {
    match guarded(|| job.model.scorer().encode(pair)) {
        Ok(Ok(row)) => Ok(row),
        Ok(Err(error)) => Err(PairFault::of_encoding(&error)),
        // The message of a panic may repeat the text.
        Err(_) => {
            tracing::error!("the tokenizer panicked");
            Err(PairFault::Internal)
        }
    }
}

/// Puts rows into the second stage. That stage is closed only after this one is empty, so that it takes them.
fn hand_on(stage: &Stage<QueuedRow>, job: &Job, rows: Vec<(usize, QueuedRow)>) {
    if !rows.is_empty() && !job.is_cancelled() {
        stage.push(job.flow, job.late, rows);
    }
}
