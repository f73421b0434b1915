//! Answers of the engine in the form of the native API.

use crate::context::{self, Work};
use crate::engine::{RowAnswer, RowOutcome};
use crate::error::ApiError;
use crate::models::OpenModel;
use crate::native::{
    CutTokens, MemberVote, PairAnswer, PairOutcome, RelevanceResponse, TaskName, Timing, Usage,
};
use sextant_core::Task;
use std::time::{Duration, Instant};

/// The response to a request of pairs.
pub(super) fn response(
    model: &OpenModel,
    tasks: &[Task],
    ids: Vec<Option<String>>,
    votes: bool,
    outcomes: Vec<RowOutcome>,
    arrived: Instant,
) -> RelevanceResponse {
    let (usage, timing) = (usage(&outcomes), timing(&outcomes, arrived));
    let rows = tasks.iter().zip(ids).zip(outcomes).enumerate();
    let results = rows
        .map(|(index, ((&task, id), outcome))| pair(model, index, id, task, outcome, votes))
        .collect();
    RelevanceResponse {
        model: model.name().to_owned(),
        sha256: model.scorer().manifest_sha256().to_owned(),
        results,
        usage,
        timing,
    }
}

/// What came of one pair.
pub(super) fn pair(
    model: &OpenModel,
    index: usize,
    id: Option<String>,
    task: Task,
    outcome: RowOutcome,
    votes: bool,
) -> PairOutcome {
    let (answer, error) = match outcome {
        Ok(row) => (Some(answer(model, task, &row, votes)), None),
        Err(fault) => (None, Some(ApiError::of_pair(&fault, task).detail())),
    };
    PairOutcome { index, id, answer, error }
}

/// The answer to a pair.
pub(super) fn answer(model: &OpenModel, task: Task, row: &RowAnswer, votes: bool) -> PairAnswer {
    let prediction = row.voted.prediction;
    let votes = votes.then(|| {
        let named = row.voted.votes.iter().filter_map(|(number, vote)| {
            let member = model.members().get(*number)?;
            Some(MemberVote {
                member: member.name.clone(),
                grade: vote.grade(),
                label: vote.grade().as_str(),
                score: vote.score(),
                probabilities: (*vote).into(),
            })
        });
        named.collect()
    });
    PairAnswer {
        task: TaskName(task),
        grade: prediction.grade(),
        label: prediction.grade().as_str(),
        score: prediction.score(),
        probabilities: prediction.into(),
        tokens: row.tokens,
        cut: row.cut.any().then_some(CutTokens { left: row.cut.left, right: row.cut.right }),
        cached: row.cached,
        votes,
    }
}

pub(super) fn usage(outcomes: &[RowOutcome]) -> Usage {
    let mut usage = Usage { pairs: outcomes.len(), ..Usage::default() };
    for outcome in outcomes {
        match outcome {
            Ok(row) => {
                usage.tokens += if row.cached { 0 } else { row.tokens };
                usage.cut += usize::from(row.cut.any());
                usage.cached += usize::from(row.cached);
            }
            Err(_) => usage.errors += 1,
        }
    }
    usage
}

/// Notes what a request took, for its trace.
pub(super) fn note(outcomes: &[RowOutcome], begun: Instant) {
    let Usage { pairs, tokens, .. } = usage(outcomes);
    let first = outcomes.iter().flatten().map(|row| row.begun).min().unwrap_or(begun);
    let queued = first.saturating_duration_since(begun);
    let computed = first.elapsed();
    context::note(Work { pairs, tokens, begun, queued, computed });
}

pub(super) fn timing(outcomes: &[RowOutcome], arrived: Instant) -> Timing {
    let begun = outcomes.iter().flatten().map(|row| row.begun).min();
    let queue = begun.map_or(Duration::ZERO, |begun| begun.saturating_duration_since(arrived));
    let milliseconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    Timing { total_ms: milliseconds(arrived.elapsed()), queue_ms: milliseconds(queue) }
}
