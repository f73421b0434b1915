//! The second stage: rows become answers, in packs.

use super::fair::Fate;
use super::job::{Job, PairFault, QueuedRow, RowAnswer};
use super::{Cache, Shared};
use sextant_core::guarded;
use sextant_infer::{ScorerRow, Voted};
use sextant_model::{ModelError, NonFinite};
use sextant_text::Cut;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;

/// Answers packs until the stage is closed and empty.
pub(super) fn run(shared: &Shared) {
    let most = shared.config.pack_tokens.get();
    let least = shared.config.least_pack_tokens.get().min(most);
    // Workers that have nothing to do share what waits, so that a request that comes alone is answered sooner.
    let budget = |waiting: usize, idle: usize| waiting.div_ceil(idle.max(1)).max(least).min(most);
    while let Some(pack) = shared.rows.take(budget, of_one_model) {
        answer(shared, pack);
    }
}

/// Decides about flows so that the pack has rows of one model only: that of the first flow.
fn of_one_model() -> impl FnMut(&QueuedRow) -> Fate {
    let mut model = None;
    move |row| {
        if row.job.is_cancelled() {
            Fate::Drop
        } else if *model.get_or_insert(row.job.model.number()) == row.job.model.number() {
            Fate::Take
        } else {
            Fate::Leave
        }
    }
}

/// A row without its tokens, which are in the pack.
struct Waiting {
    job: Arc<Job>,
    index: usize,
    permit: Option<OwnedSemaphorePermit>,
    queued: Instant,
    tokens: usize,
    cut: Cut,
}

/// Parts a row from its tokens.
fn part(QueuedRow { job, index, row, permit, queued }: QueuedRow) -> (ScorerRow, Waiting) {
    let (tokens, cut) = (row.tokens(), row.cut());
    (row, Waiting { job, index, permit, queued, tokens, cut })
}

fn answer(shared: &Shared, pack: Vec<QueuedRow>) {
    let Some(first) = pack.first() else { return };
    let model = Arc::clone(&first.job.model);
    let begun = Instant::now();
    let (rows, waiting): (Vec<ScorerRow>, Vec<Waiting>) = pack.into_iter().map(part).unzip();
    let tokens = waiting.iter().map(|row| row.tokens).sum();
    // A pack in which nobody is interested any more is given up between the packs of an ensemble's members.
    let observer = |_| {
        if waiting.iter().all(|row| row.job.is_cancelled()) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let answers = guarded(|| model.scorer().answer_with_votes(&rows, observer));
    let took = begun.elapsed();
    shared.throughput.note(tokens, took);
    shared.meters.pack(tokens, shared.config.pack_tokens.get(), took);
    let answers = match answers {
        Ok(Ok(answers)) => answers.into_iter().map(|answer| answer.map_err(not_finite)).collect(),
        // Nobody waits for any row of the pack.
        Ok(Err(ModelError::Stopped)) => return,
        Ok(Err(error)) => {
            tracing::error!("a pack of model `{}` cannot be answered: {error}", model.name());
            vec![Err(PairFault::Internal); waiting.len()]
        }
        Err(panic) => {
            tracing::error!("model `{}` panicked: {panic}", model.name());
            vec![Err(PairFault::Internal); waiting.len()]
        }
    };
    for (waiting, answer) in waiting.into_iter().zip(answers) {
        tell(shared, waiting, answer, begun);
    }
}

fn not_finite(fault: NonFinite) -> PairFault {
    tracing::error!("{fault}");
    PairFault::NotFinite
}

fn tell(shared: &Shared, waiting: Waiting, answer: Result<Voted, PairFault>, begun: Instant) {
    let Waiting { job, index, permit, queued, tokens, cut } = waiting;
    let outcome = answer.map(|voted| RowAnswer { voted, tokens, cut, cached: false, begun });
    if let (Ok(answer), Some(pair)) = (&outcome, job.pairs.get(index)) {
        if let Some(cache) = &shared.cache {
            cache.insert(Cache::key(&job.model, pair), answer);
        }
        shared.meters.waited(begun - queued);
    }
    // The permit is given back before the answer is told: whoever has an answer may ask again at once.
    drop(permit);
    shared.tell(&job, index, outcome);
}
