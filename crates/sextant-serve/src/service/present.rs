//! Answers of the engine in the form of the native API.

use super::Asked;
use crate::context::{self, Work};
use crate::engine::{PairFault, RowAnswer, RowOutcome};
use crate::error::ApiError;
use crate::models::OpenModel;
use crate::native::{
    CutTokens, MemberVote, PairAnswer, PairOutcome, RelevanceResponse, TaskName, Timing, Usage,
};
use sextant_core::Task;
use std::time::{Duration, Instant};

/// The response to a request of pairs: the outcomes of those that were asked, and errors in the places of others.
pub(super) fn response(
    model: &OpenModel,
    asked: Vec<Asked>,
    votes: bool,
    outcomes: Vec<RowOutcome>,
    arrived: Instant,
) -> RelevanceResponse {
    let (mut usage, timing) = (usage(&outcomes), timing(&outcomes, arrived));
    usage.errors += asked.len() - outcomes.len();
    usage.pairs = asked.len();
    let mut outcomes = outcomes.into_iter();
    let results = asked.into_iter().enumerate().map(|(index, Asked { id, task })| match task {
        Ok(task) => {
            // There is an outcome for each pair that was asked.
            let outcome = outcomes.next().unwrap_or(Err(PairFault::Internal));
            pair(model, index, id, task, outcome, votes)
        }
        Err(error) => PairOutcome { index, id, answer: None, error: Some(error.detail()) },
    });
    RelevanceResponse {
        model: model.name().to_owned(),
        sha256: model.scorer().manifest_sha256().to_owned(),
        results: results.collect(),
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
    // The vote of a bundle that answers alone is the answer.
    let votes = (votes && model.scorer().rule().is_some()).then(|| {
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
