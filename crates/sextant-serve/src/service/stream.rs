//! Pairs that come as lines of JSON, and answers that go as lines of JSON while more pairs come.

use super::{Service, UnknownModel, pair, present, within};
use crate::context::{self, Caller};
use crate::engine::Flow;
use crate::error::ApiError;
use crate::json::parse;
use crate::lines::{Line, LineLimits, lines};
use crate::models::OpenModel;
use crate::native::{ErrorCode, PairInput, PairOutcome, TaskName};
use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use sextant_core::{Pair, Task};
use std::convert::Infallible;
use std::sync::Arc;

/// Pairs that are answered together.
const CHUNK_PAIRS: usize = 64;
/// Texts of so many bytes are answered together if there are fewer pairs.
const CHUNK_BYTES: usize = 1 << 19;
/// Chunks of one stream that are under way at a time.
const CHUNKS: usize = 8;

/// What a stream's address says of its pairs.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamOptions {
    /// The model that answers.
    pub(crate) model: Option<String>,
    /// The task of pairs that name none.
    pub(crate) task: Option<Task>,
    /// Whether to add what each member of an ensemble answered.
    pub(crate) votes: bool,
}

/// Answers a stream of pairs, in their order. A line that is no pair gets an error in its place. The sender is
/// slowed down while the engine has no room.
///
/// # Errors
/// There is no such model.
pub(crate) async fn stream(
    service: Arc<Service>,
    options: StreamOptions,
    body: Body,
) -> Result<Body, ApiError> {
    let model = service.model(options.model.as_deref(), UnknownModel::Refuse).await?;
    let limits = service.limits.clone();
    // The answer is written after the handler has returned, where the request's context is gone.
    let caller = context::caller();
    let limits = LineLimits {
        line_bytes: limits.body_bytes.get(),
        patience: limits.body_time,
        lines: CHUNK_PAIRS,
        bytes: CHUNK_BYTES,
    };
    let flow = Flow::stream();
    let mut index = 0;
    let answered = lines(body, limits)
        .map(move |lines| {
            let first = index;
            index += lines.len();
            let (service, model, options) =
                (Arc::clone(&service), Arc::clone(&model), options.clone());
            let caller = caller.clone();
            async move {
                let chunk = (first..).zip(lines).collect();
                answer(&service, &model, (&options, flow), caller.as_deref(), chunk).await
            }
        })
        .buffered(CHUNKS)
        .flat_map(|outcomes| {
            stream::iter(outcomes.into_iter().map(|outcome| Ok::<_, Infallible>(line(&outcome))))
        });
    Ok(Body::from_stream(answered))
}

fn line(outcome: &PairOutcome) -> Bytes {
    // Outcomes are plain data with string keys, which always serialize.
    let mut line = serde_json::to_vec(outcome).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// Answers some lines together.
async fn answer(
    service: &Service,
    model: &Arc<OpenModel>,
    (options, flow): (&StreamOptions, Flow),
    caller: Option<&Caller>,
    lines: Vec<(usize, Line)>,
) -> Vec<PairOutcome> {
    let failed = |index, error: ApiError| PairOutcome {
        index,
        id: None,
        answer: None,
        error: Some(error.detail()),
    };
    let (mut outcomes, mut pairs, mut named) = (Vec::new(), Vec::new(), Vec::new());
    for (index, line) in lines {
        match line.and_then(|line| read(&line, options.task)) {
            Ok((pair, id)) => {
                named.push((index, id, pair.task));
                pairs.push(pair);
            }
            Err(error) => outcomes.push(failed(index, error)),
        }
    }
    if !pairs.is_empty() {
        service.take(&pairs);
        // A stream is slowed down where a request would be refused.
        while let Err(wait) = caller.map_or(Ok(()), |caller| caller.charge(pairs.len())) {
            tokio::time::sleep(wait).await;
        }
        if let Some(name) = caller.and_then(|caller| caller.name.as_ref()) {
            service.meters.key_asked(name, pairs.len(), true);
        }
        let time = service.limits.time;
        let answered = async {
            let submitted = service.engine.submit_when_free(Arc::clone(model), pairs, time, flow);
            let answers = submitted.await?;
            within(time, answers).await
        };
        match answered.await {
            Ok(answered) => {
                for ((index, id, task), outcome) in named.into_iter().zip(answered) {
                    let outcome = present::pair(model, index, id, task, outcome, options.votes);
                    outcomes.push(outcome);
                }
            }
            Err(error) => {
                outcomes.extend(named.into_iter().map(|(index, ..)| failed(index, error.clone())));
            }
        }
    }
    outcomes.sort_by_key(|outcome| outcome.index);
    outcomes
}

/// A pair from a line, with the caller's name for it.
fn read(line: &[u8], task: Option<Task>) -> Result<(Pair, Option<String>), ApiError> {
    let PairInput { task: own, left, right, id } = parse(line)?;
    let task = own.map(|TaskName(task)| task).or(task).ok_or_else(|| {
        ApiError::new(
            ErrorCode::InvalidRequest,
            "the pair names no task, and the address has none for all (`?task=…`); give `task`",
        )
    })?;
    let pair = pair(task, left.0, right.0).map_err(ApiError::invalid)?;
    Ok((pair, id))
}
