//! What all handlers share: from a native request to its answers.
//!
//! Every dialect becomes a [`RelevanceRequest`] before anything else looks at it, so that limits, deadlines,
//! models and metrics are decided here, once.

mod consistency;
mod present;
mod stream;

pub(crate) use stream::{StreamOptions, stream};

use crate::context;
use crate::engine::{Answers, Engine, PairFault, RowOutcome};
use crate::error::ApiError;
use crate::meters::Meters;
use crate::models::{OpenModel, Registry};
use crate::native::{
    ErrorCode, ModelInfo, ModelList, PairInput, Readable, RelevanceRequest, RelevanceResponse,
    ServerInfo, TaskName,
};
use crate::shadow::Shadow;
use crate::traces::Traces;
use sextant_core::{Entity, EntityKind, Pair, Task};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What one request may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most pairs.
    pub pairs: NonZeroUsize,
    /// The most bytes of a body, unpacked.
    pub body_bytes: NonZeroUsize,
    /// The longest time until the answer. A request may ask for less.
    pub time: Duration,
    /// The longest time until the whole body has come.
    pub body_time: Duration,
}

/// What is done with the name of a model that the server does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownModel {
    /// The request is refused.
    Refuse,
    /// The default model answers. Clients of other APIs have names of other models in their configuration.
    Default,
}

/// The engine and its models, as handlers see them.
pub(crate) struct Service {
    pub(crate) registry: Arc<Registry>,
    pub(crate) engine: Engine,
    pub(crate) meters: Arc<Meters>,
    pub(crate) limits: Limits,
    /// The most connections at a time.
    pub(crate) connections: usize,
    /// The task of pairs in requests of dialects that name none.
    pub(crate) default_task: Task,
    /// For dialects; the native API refuses unknown names.
    pub(crate) unknown: UnknownModel,
    /// Places for requests that tokenize texts without answering them.
    pub(crate) tokenizing: Arc<Semaphore>,
    pub(crate) shadow: Option<Shadow>,
    pub(crate) traces: Option<Traces>,
    /// Whether the log has the texts of pairs.
    pub(crate) log_texts: bool,
    /// Whether the models that are opened at the start are open.
    pub(crate) opened: AtomicBool,
    /// Whether the server is about to stop.
    pub(crate) stopping: AtomicBool,
}

/// A pair of a request: the caller's name for it, and its task or why it cannot be asked.
struct Asked {
    id: Option<String>,
    task: Result<Task, ApiError>,
}

/// A request that was checked: pairs, and the model that answers them.
struct Checked {
    model: Arc<OpenModel>,
    /// The pairs that can be asked.
    pairs: Vec<Pair>,
    /// What all pairs of the request are.
    asked: Vec<Asked>,
    votes: bool,
    deadline: Duration,
}

impl Service {
    /// Answers a native request.
    ///
    /// # Errors
    /// The request cannot be answered as a whole. A pair that cannot be answered is an outcome of its own.
    pub(crate) async fn relevance(
        &self,
        request: RelevanceRequest,
        unknown: UnknownModel,
    ) -> Result<RelevanceResponse, ApiError> {
        let arrived = Instant::now();
        let Checked { model, pairs, asked, votes, deadline } = self.check(request, unknown).await?;
        let shadowed = self.shadow.as_ref().and_then(|shadow| shadow.sample(&pairs));
        let answers = self.engine.submit(Arc::clone(&model), pairs, deadline)?;
        let outcomes = within(deadline, answers).await?;
        present::note(&outcomes, arrived);
        if let (Some(shadow), Some(pairs)) = (&self.shadow, shadowed) {
            shadow.compare(pairs, &outcomes);
        }
        Ok(present::response(&model, asked, votes, outcomes, arrived))
    }

    /// Resolves names and checks limits.
    async fn check(
        &self,
        request: RelevanceRequest,
        unknown: UnknownModel,
    ) -> Result<Checked, ApiError> {
        let RelevanceRequest { model, task, pairs: inputs, votes, timeout_ms } = request;
        self.check_count(inputs.len(), "pairs")?;
        if task.is_none() && names_no_task(&inputs) {
            // This is a mistake of the request rather than of each pair.
            return Err(ApiError::invalid(
                "no pair names a task, and the request has none for all pairs; give `task`",
            ));
        }
        let mut pairs = Vec::with_capacity(inputs.len());
        let mut asked = Vec::with_capacity(inputs.len());
        for (index, Readable(input)) in inputs.into_iter().enumerate() {
            let (id, read) = match input {
                Ok(PairInput { task: own, left, right, id }) => {
                    let task = own.or(task).ok_or_else(|| {
                        "it names no task, and the request has none for all pairs; give `task`"
                            .to_owned()
                    });
                    let read = task.and_then(|TaskName(task)| pair(task, left.0, right.0));
                    let at = |problem| ApiError::invalid(format!("`pairs[{index}]`: {problem}"));
                    (id, read.map_err(at))
                }
                Err(unreadable) => {
                    let error = ApiError::of_part("pairs", index, &unreadable);
                    (unreadable.id, Err(error))
                }
            };
            asked.push(Asked {
                id,
                task: read.map(|pair| {
                    let task = pair.task;
                    pairs.push(pair);
                    task
                }),
            });
        }
        let model = self.model(model.as_deref(), unknown).await?;
        self.charge(pairs.len())?;
        self.take(&pairs);
        Ok(Checked {
            model,
            pairs,
            asked,
            votes: votes.unwrap_or(false),
            deadline: self.deadline(timeout_ms),
        })
    }

    pub(crate) fn check_count(&self, found: usize, what: &str) -> Result<(), ApiError> {
        let most = self.limits.pairs.get();
        if found > most {
            let message = format!(
                "the request has {found} {what}, and the server takes {most}; send them in parts, or as a stream (application/x-ndjson)"
            );
            return Err(ApiError::new(ErrorCode::TooLarge, message));
        }
        Ok(())
    }

    /// Takes pairs out of the allowance of the request's key, if it has one.
    pub(crate) fn charge(&self, pairs: usize) -> Result<(), ApiError> {
        let Some(caller) = context::caller() else { return Ok(()) };
        let charged = caller.charge(pairs);
        if let Some(name) = &caller.name {
            self.meters.key_asked(name, pairs, charged.is_ok());
        }
        charged.map_err(ApiError::rate_limited)
    }

    /// Notes the pairs that the service is about to answer: their number, and their texts if the log is to have them.
    fn take(&self, pairs: &[Pair]) {
        self.meters.request_pairs(pairs.len());
        if self.log_texts {
            for (index, Pair { task, left, right }) in pairs.iter().enumerate() {
                // Plain data with string keys, which always serializes.
                let [left, right] =
                    [left, right].map(|side| serde_json::to_string(side).unwrap_or_default());
                tracing::info!(index, %task, left, right, "pair");
            }
        }
    }

    /// How long a request may take.
    fn deadline(&self, timeout_ms: Option<u64>) -> Duration {
        timeout_ms
            .map_or(self.limits.time, |asked| self.limits.time.min(Duration::from_millis(asked)))
    }

    /// The model of a name, opened if it is not open yet.
    ///
    /// # Errors
    /// There is no such model, or it cannot be opened.
    pub(crate) async fn model(
        &self,
        name: Option<&str>,
        unknown: UnknownModel,
    ) -> Result<Arc<OpenModel>, ApiError> {
        let default = self.registry.default_slot();
        let found = match name.filter(|name| !name.is_empty()) {
            None => Some(default),
            Some(name) => self.registry.get(name),
        };
        let slot = match (found, unknown) {
            (Some(slot), _) => slot,
            (None, UnknownModel::Default) => default,
            (None, UnknownModel::Refuse) => return Err(self.unknown_model()),
        };
        slot.get().await.map_err(|error| {
            tracing::error!("model `{}` cannot be opened: {error}", slot.name());
            let message =
                format!("model `{}` cannot be opened; the server's log says why", slot.name());
            ApiError::new(ErrorCode::Unavailable, message)
        })
    }

    /// The models, in OpenAI's form.
    pub(crate) fn models(&self) -> ModelList {
        ModelList { object: "list", data: self.registry.slots().map(|slot| slot.info()).collect() }
    }

    /// What the server is.
    pub(crate) fn info(&self) -> ServerInfo {
        ServerInfo {
            server: "sextant",
            version: env!("CARGO_PKG_VERSION"),
            default_model: self.registry.default_slot().name().to_owned(),
            default_task: TaskName(self.default_task),
            models: self.models().data,
            max_pairs: self.limits.pairs.get(),
            max_body_bytes: self.limits.body_bytes.get(),
            max_request_tokens: self.engine.config().request_tokens.get(),
        }
    }

    /// What is known of a model.
    ///
    /// # Errors
    /// There is no such model.
    pub(crate) fn model_info(&self, name: &str) -> Result<ModelInfo, ApiError> {
        let slot = self.registry.get(name);
        slot.map(|slot| slot.info()).ok_or_else(|| self.unknown_model())
    }

    /// Whether the server can answer.
    ///
    /// # Errors
    /// A model that is opened at the start is not open yet, or the server is about to stop.
    pub(crate) fn ready(&self) -> Result<(), ApiError> {
        let why = if self.stopping.load(Ordering::Relaxed) {
            "the server is about to stop"
        } else if !self.opened.load(Ordering::Relaxed) {
            "models are being opened"
        } else {
            return Ok(());
        };
        Err(ApiError::new(ErrorCode::Unavailable, why))
    }

    fn unknown_model(&self) -> ApiError {
        let known: Vec<_> = self.registry.slots().map(|slot| slot.name()).collect();
        let known = known.join(", ");
        let message = format!("there is no model of this name; the server has {known}");
        ApiError::new(ErrorCode::UnknownModel, message)
    }

    /// All metrics, as Prometheus reads them.
    pub(crate) fn metrics(&self) -> String {
        self.meters.queued(self.engine.queued_tokens());
        for model in self.registry.slots().filter_map(|slot| slot.opened()) {
            for drifted in model.drift().drifted() {
                self.meters.drifted(model.name(), &drifted);
            }
        }
        self.meters.render()
    }
}

/// Whether there are pairs that can be read, and none of them names a task.
fn names_no_task(inputs: &[Readable<PairInput>]) -> bool {
    let mut read = inputs.iter().filter_map(|Readable(input)| input.as_ref().ok()).peekable();
    read.peek().is_some() && read.all(|input| input.task.is_none())
}

/// A pair, if its sides are of the kinds that the task has.
fn pair(task: Task, left: Entity, right: Entity) -> Result<Pair, String> {
    let (left_kind, right_kind) = task.kinds();
    for (side, entity, kind) in [("left", &left, left_kind), ("right", &right, right_kind)] {
        if matches!(entity, Entity::Product(_)) && kind != EntityKind::Product {
            return Err(format!("the {side} side of {task} is a {kind}; give plain text"));
        }
    }
    Ok(Pair { task, left, right })
}

/// Waits for all answers, but no longer than `time`. What has not begun by then is cancelled.
async fn within(time: Duration, answers: Answers) -> Result<Vec<RowOutcome>, ApiError> {
    let outcomes = tokio::time::timeout(time, answers.all()).await;
    let outcomes = outcomes.map_err(|_| ApiError::timeout(time))?;
    // This fault is the request's, not the pair's, at which it was found.
    if outcomes.iter().any(|outcome| matches!(outcome, Err(PairFault::TooManyTokens))) {
        return Err(ApiError::new(
            ErrorCode::TooLarge,
            "the request has more tokens than the server takes; send it in parts",
        ));
    }
    Ok(outcomes)
}
