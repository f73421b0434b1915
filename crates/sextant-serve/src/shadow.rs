//! A second model that answers the same pairs off the critical path, and how often the two disagree.

use crate::engine::RowOutcome;
use crate::meters::Meters;
use crate::models::{OpenModel, Slot};
use sextant_core::{Pair, PairRef, Prediction, guarded};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Requests that wait for the shadow model. Beyond, requests are left out and counted: the shadow must never
/// slow down the model that answers.
const WAITING: usize = 64;

/// A pair, and what the answering model said of it.
type Answered = Vec<(Pair, Prediction)>;

/// The door to the shadow model's thread, which ends when this is dropped.
pub(crate) struct Shadow {
    sender: SyncSender<Answered>,
    /// One request of so many is compared.
    every: u64,
    requests: AtomicU64,
    meters: Arc<Meters>,
}

impl Shadow {
    /// Starts the thread of a shadow model, which compares one request of `every`.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub(crate) fn start(slot: Arc<Slot>, every: u64, meters: Arc<Meters>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let shared = Arc::clone(&meters);
        let thread = std::thread::Builder::new().name("sextant-shadow".to_owned());
        thread.spawn(move || run(&slot, &receiver, &shared))?;
        Ok(Self { sender, every: every.max(1), requests: AtomicU64::new(0), meters })
    }

    /// A copy of a request's pairs, if it is one that is compared.
    pub(crate) fn sample(&self, pairs: &[Pair]) -> Option<Vec<Pair>> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        number.is_multiple_of(self.every).then(|| pairs.to_vec())
    }

    /// Has the shadow model answer pairs, some time, and compares its answers with these.
    pub(crate) fn compare(&self, pairs: Vec<Pair>, outcomes: &[RowOutcome]) {
        let answered = pairs.into_iter().zip(outcomes);
        let answered: Answered = answered
            .filter_map(|(pair, outcome)| Some((pair, outcome.as_ref().ok()?.voted.prediction)))
            .collect();
        if let Err(TrySendError::Full(left_out)) = self.sender.try_send(answered) {
            self.meters.shadow_left_out(left_out.len());
        }
    }
}

fn run(slot: &Slot, receiver: &Receiver<Answered>, meters: &Meters) {
    while let Ok(answered) = receiver.recv() {
        let Some(model) = slot.opened() else {
            meters.shadow_left_out(answered.len());
            continue;
        };
        let compared = guarded(|| compare(&model, &answered, meters));
        if let Err(panic) = compared {
            tracing::error!("the shadow model panicked: {panic}");
        }
    }
}

fn compare(model: &OpenModel, answered: &Answered, meters: &Meters) {
    let pairs: Vec<PairRef<'_>> = answered.iter().map(|(pair, _)| pair.into()).collect();
    let (mut rows, mut theirs) = (Vec::new(), Vec::new());
    for (row, (pair, prediction)) in model.scorer().encode_each(&pairs).into_iter().zip(answered) {
        // A task that the shadow model was not trained for is not compared.
        if let Ok(row) = row {
            rows.push(row);
            theirs.push((pair.task, prediction));
        }
    }
    let answers = model.scorer().answer(&rows, |_| ControlFlow::Continue(()));
    let Ok(answers) = answers.inspect_err(|error| tracing::error!("shadow model: {error}")) else {
        return;
    };
    for (answer, (task, other)) in answers.iter().zip(theirs) {
        if let Ok(answer) = answer {
            let apart = f64::from((answer.score() - other.score()).abs());
            meters.shadow(task, answer.grade() != other.grade(), apart);
        }
    }
}
