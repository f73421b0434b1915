//! The engine: turns pairs into answers, in packs that are built across requests.
//!
//! A request's pairs pass two stages. *Tokenizers* (threads) turn pairs into rows of tokens, a few at a time.
//! *Workers* (threads) take rows as packs of a token budget and run the model, each on its own thread alone, so
//! that several small packs run side by side without waking other threads. Before either stage stands a
//! [`FairQueue`](fair::FairQueue), which serves requests in turns by tokens, so that a long request does not
//! keep a short one waiting. A pack holds rows of one model only, but of as many requests and tasks as fit.
//!
//! Rows that wait or are computed hold permits of a semaphore that counts tokens. A request for which no permits
//! are left is refused at once; nothing queues without a bound. Dropping [`Answers`] cancels what has not begun
//! and gives its permits back.

mod admission;
mod answers;
mod cache;
mod fair;
mod job;
mod stage;
mod throughput;
mod tokenize;
mod worker;

pub(crate) use answers::Answers;
pub(crate) use cache::Cache;
pub(crate) use fair::Flow;
pub(crate) use job::{PairFault, RowAnswer, RowOutcome};

use crate::meters::Meters;
use crate::models::OpenModel;
use admission::Admission;
use job::{Job, QueuedRow, Unit};
use sextant_core::Pair;
use stage::Stage;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use throughput::Throughput;

/// The sizes of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Threads that run models, one pack each at a time.
    pub workers: NonZeroUsize,
    /// Threads that tokenize.
    pub tokenizers: NonZeroUsize,
    /// The most tokens of a pack; a row that is longer is a pack of its own.
    pub pack_tokens: NonZeroUsize,
    /// While some workers have nothing to do, they share what waits; but a pack smaller than this is not worth
    /// dividing.
    pub least_pack_tokens: NonZeroUsize,
    /// The tokens that a request may take from packs before the next request has its turn.
    pub turn_tokens: NonZeroUsize,
    /// The most tokens that wait or are computed; requests beyond are refused.
    pub queue_tokens: NonZeroUsize,
    /// The most tokens of one request.
    pub request_tokens: NonZeroUsize,
    /// The most answers that the cache keeps; 0 for no cache.
    pub cache_entries: usize,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too many tokens are waiting. The server will have answered them after about this time.
    Full {
        /// When to try again.
        retry_after: Duration,
    },
    /// The engine is about to stop.
    Stopping,
}

/// How long a request that has so much time waits for turns.
fn patience(deadline: Duration) -> Duration {
    deadline / 3
}

/// When a request that comes now and has so much time is late.
fn late(deadline: Duration) -> Instant {
    // A time too far for the clock is one in a year, when the server has long been restarted.
    const YEAR: Duration = Duration::from_hours(365 * 24);
    Instant::now() + patience(deadline).min(YEAR)
}

/// What the threads of an engine share.
struct Shared {
    config: EngineConfig,
    units: Stage<Unit>,
    rows: Stage<QueuedRow>,
    admission: Admission,
    throughput: Throughput,
    cache: Option<Cache>,
    meters: Arc<Meters>,
}

impl Shared {
    /// Notes what came of a pair, and hands it over.
    fn tell(&self, job: &Job, index: usize, outcome: RowOutcome) {
        if let (Ok(answer), Some(pair)) = (&outcome, job.pairs.get(index)) {
            let prediction = &answer.voted.prediction;
            self.meters.row(job.model.name(), pair.task, prediction, answer.cut.any());
            job.model.drift().add(pair.task, prediction.score());
        }
        job.tell(index, outcome);
    }
}

/// The running engine, whose threads end when it is dropped.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    tokenizers: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads of an engine.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub(crate) fn start(config: EngineConfig, meters: Arc<Meters>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            units: Stage::new(tokenize::TURN_BYTES),
            rows: Stage::new(config.turn_tokens.get()),
            admission: Admission::new(config.queue_tokens),
            throughput: Throughput::new(config.workers),
            cache: Cache::new(config.cache_entries),
            meters,
            config,
        });
        let mut engine = Self { shared, tokenizers: Vec::new(), workers: Vec::new() };
        for number in 0..engine.shared.config.tokenizers.get() {
            let shared = Arc::clone(&engine.shared);
            let thread = std::thread::Builder::new().name(format!("sextant-tokens-{number}"));
            engine.tokenizers.push(thread.spawn(move || tokenize::run(&shared))?);
        }
        for number in 0..engine.shared.config.workers.get() {
            let shared = Arc::clone(&engine.shared);
            let thread = std::thread::Builder::new().name(format!("sextant-worker-{number}"));
            engine.workers.push(thread.spawn(move || worker::run(&shared))?);
        }
        Ok(engine)
    }

    /// Takes pairs to answer by a model, or refuses them if too many tokens wait already: more than the queue
    /// holds, or more than take a third of the time that the request has. A request that would end with an error
    /// after all that waiting is better told at once.
    ///
    /// After that third the request is late, and has only those before it that were there when it came (or that had
    /// less time): they take a third at most, too. What remains is for the request itself, and for speeds that are
    /// not as they were.
    ///
    /// # Errors
    /// The queue is full, or the engine is about to stop.
    pub(crate) fn submit(
        &self,
        model: Arc<OpenModel>,
        pairs: Vec<Pair>,
        deadline: Duration,
    ) -> Result<Answers, Refused> {
        let estimate = admission::estimate(&model, &pairs);
        let before = self.shared.throughput.seconds_for(self.shared.admission.taken());
        let in_time = before.is_none_or(|seconds| seconds <= patience(deadline).as_secs_f64());
        let permit = in_time.then(|| self.shared.admission.try_enter(estimate)).flatten();
        let permit = permit.ok_or_else(|| {
            self.shared.meters.refused();
            Refused::Full { retry_after: self.retry_after() }
        })?;
        let most = self.shared.config.request_tokens.get();
        self.start_job(Job::new(model, pairs, (Flow::request(), late(deadline)), most, permit))
    }

    /// Takes pairs to answer by a model, and waits until the queue has room for them. This is for streams, whose
    /// sender is to be slowed down rather than refused, and which may have any number of tokens. All of a stream has its
    /// turns as one `flow`. `deadline` is the time that other requests have, whose turns are not to hold up a stream
    /// for longer than each other.
    ///
    /// # Errors
    /// The engine is about to stop.
    pub(crate) async fn submit_when_free(
        &self,
        model: Arc<OpenModel>,
        pairs: Vec<Pair>,
        deadline: Duration,
        flow: Flow,
    ) -> Result<Answers, Refused> {
        let estimate = admission::estimate(&model, &pairs);
        let permit = self.shared.admission.enter(estimate).await.ok_or(Refused::Stopping)?;
        self.start_job(Job::new(model, pairs, (flow, late(deadline)), usize::MAX, permit))
    }

    fn start_job(&self, (job, receiver): (Arc<Job>, job::Receiver)) -> Result<Answers, Refused> {
        let answers = Answers::new(Arc::clone(&self.shared), &job, receiver);
        if self.shared.units.push(job.flow, job.late, tokenize::units(&job)) {
            Ok(answers)
        } else {
            Err(Refused::Stopping)
        }
    }

    /// How long the engine needs for what it has taken already.
    pub(crate) fn retry_after(&self) -> Duration {
        self.shared.throughput.time_for(self.shared.admission.taken())
    }

    /// Tokens that wait or are computed.
    pub(crate) fn queued_tokens(&self) -> usize {
        self.shared.admission.taken()
    }

    /// The sizes of the engine.
    pub(crate) fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    /// Answers what was taken, and ends the threads. Nothing is taken from now on.
    fn end(&mut self) {
        self.shared.admission.close();
        self.shared.units.close();
        // A thread that panicked has reported it; there is nothing to add here.
        self.tokenizers.drain(..).for_each(|thread| drop(thread.join()));
        self.shared.rows.close();
        self.workers.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Blocks until the last answer is given.
impl Drop for Engine {
    fn drop(&mut self) {
        self.end();
    }
}
