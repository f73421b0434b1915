//! A request on its way through the engine.

use super::Flow;
use super::admission::bytes;
use crate::models::OpenModel;
use sextant_core::Pair;
use sextant_infer::{ScorerRow, Voted};
use sextant_model::ModelError;
use sextant_text::{Cut, Side, TextError};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The answer to a pair.
#[derive(Debug, Clone)]
pub(crate) struct RowAnswer {
    /// The answer, and what each model answered.
    pub(crate) voted: Voted,
    /// The tokens that were computed.
    pub(crate) tokens: usize,
    /// What truncation removed.
    pub(crate) cut: Cut,
    /// Whether the answer came from the cache.
    pub(crate) cached: bool,
    /// When the pair's computation began.
    pub(crate) begun: Instant,
}

/// Why a pair has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PairFault {
    /// A side has no text, or the tokenizer finds nothing in it.
    Empty(Side),
    /// The model does not answer the task.
    UnknownTask,
    /// The model's answer is no number.
    NotFinite,
    /// The request has more tokens than the server takes.
    TooManyTokens,
    /// A fault of the server.
    Internal,
}

impl PairFault {
    /// The fault of a pair that cannot be encoded.
    pub(super) fn of_encoding(error: &ModelError) -> Self {
        match error {
            ModelError::Text(TextError::EmptyText { side, .. }) => Self::Empty(*side),
            ModelError::UnknownTask { .. } | ModelError::Config(_) => Self::UnknownTask,
            // The message of a tokenizer may repeat the text.
            ModelError::Text(_) => {
                tracing::error!("a pair cannot be tokenized");
                Self::Internal
            }
            other => {
                tracing::error!("a pair cannot be encoded: {other}");
                Self::Internal
            }
        }
    }
}

/// What came of a pair.
pub(crate) type RowOutcome = Result<RowAnswer, PairFault>;

/// Outcomes with the positions of their pairs, as they come.
pub(super) type Receiver = UnboundedReceiver<(usize, RowOutcome)>;

/// What the threads know of a request.
pub(super) struct Job {
    /// What the request has its turns with.
    pub(super) flow: Flow,
    pub(super) model: Arc<OpenModel>,
    pub(super) pairs: Vec<Pair>,
    /// From when on the request comes before the turns of others.
    pub(super) late: Instant,
    /// The most tokens that the request may have.
    pub(super) most_tokens: usize,
    /// It has no bound, but holds at most one outcome for each pair.
    sender: UnboundedSender<(usize, RowOutcome)>,
    /// Permits of pairs that are not tokenized yet.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    /// Pairs that are not tokenized yet.
    untokenized: AtomicUsize,
    tokens: AtomicUsize,
    /// Nobody waits for what has not begun.
    pub(super) cancelled: Arc<AtomicBool>,
}

impl Job {
    pub(super) fn new(
        model: Arc<OpenModel>,
        pairs: Vec<Pair>,
        (flow, late): (Flow, Instant),
        most_tokens: usize,
        permit: OwnedSemaphorePermit,
    ) -> (Arc<Self>, Receiver) {
        let (sender, receiver) = unbounded_channel();
        let job = Self {
            flow,
            model,
            untokenized: AtomicUsize::new(pairs.len()),
            pairs,
            late,
            most_tokens,
            sender,
            permit: Mutex::new(Some(permit)),
            tokens: AtomicUsize::new(0),
            cancelled: Arc::default(),
        };
        (Arc::new(job), receiver)
    }

    /// Hands over what came of a pair. If nobody waits for it any more, it is dropped.
    pub(super) fn tell(&self, index: usize, outcome: RowOutcome) {
        let _ = self.sender.send((index, outcome));
    }

    /// Nothing of the request that has not begun will begin.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Notes that a pair was tokenized, and gives the permits for its tokens. Permits that the request had too
    /// many of are given back with its last pair. Returns the permits, and the tokens of the request so far.
    pub(super) fn tokenized(&self, tokens: usize) -> (Option<OwnedSemaphorePermit>, usize) {
        let so_far = self.tokens.fetch_add(tokens, Ordering::Relaxed) + tokens;
        let last = self.untokenized.fetch_sub(1, Ordering::Relaxed) == 1;
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = permit.as_mut() else { return (None, so_far) };
        let mine = all.split(tokens.min(all.num_permits()));
        if last {
            *permit = None;
        }
        (mine, so_far)
    }
}

/// Some pairs of a request to tokenize.
pub(super) struct Unit {
    pub(super) job: Arc<Job>,
    pub(super) range: Range<usize>,
}

impl Unit {
    /// The bytes of the unit's texts.
    pub(super) fn bytes(&self) -> usize {
        let pairs = self.job.pairs.get(self.range.clone()).unwrap_or_default();
        pairs.iter().map(|pair| bytes(&pair.left) + bytes(&pair.right)).sum()
    }
}

/// A pair as tokens, on its way into a pack.
pub(super) struct QueuedRow {
    pub(super) job: Arc<Job>,
    /// The position of the pair in the request.
    pub(super) index: usize,
    pub(super) row: ScorerRow,
    /// Given back when the row is answered or dropped.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    pub(super) queued: Instant,
}
