//! Asks about many pairs at once, and keeps every answer as soon as it is there.

use crate::ask::{Asked, Questioner};
use crate::budget::Purse;
use crate::{
    Answer, Budget, Client, Gradeless, Judge, JudgeError, Ledger, Method, Pace, Prompt, Shot,
    Spent, pair_key,
};
use sextant_core::Pair;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How often the observer is asked whether to go on while no answer comes.
const PATIENCE: Duration = Duration::from_millis(100);

/// Who judges, and by what.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model, as the endpoint calls it.
    pub model: String,
    /// The prompt.
    pub prompt: Prompt,
    /// Worked examples; a pair is shown those of its task.
    pub shots: Vec<Shot>,
    /// How probabilities are had; `None` for the best way that the server offers.
    pub method: Option<Method>,
    /// The number of texts that [`Method::Votes`] samples for a pair.
    pub votes: usize,
    /// Decides what is sampled, as far as the server heeds it.
    pub seed: u64,
    /// The number of requests that are under way at once.
    pub concurrency: usize,
    /// What may be spent.
    pub budget: Budget,
}

impl Settings {
    /// Who judges; `prompt` is the hash of the prompt with its examples.
    pub fn judge<'a>(&'a self, prompt: &'a str) -> Judge<'a> {
        Judge { model: &self.model, prompt, method: self.method, votes: self.votes }
    }
}

/// The connection that judging uses.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// The endpoint.
    pub client: &'a Client,
    /// How fast it may be asked.
    pub pace: &'a Pace,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// How probabilities were had; `None` if nothing was asked.
    pub method: Option<Method>,
    /// Pairs that were asked about and answered.
    pub asked: usize,
    /// Pairs whose answers were in the ledger already.
    pub known: usize,
    /// Pairs left out because the budget was met.
    pub left: usize,
    /// The positions of pairs whose answers hold no grade, with the reason. They are asked about again by the
    /// next run.
    pub failed: Vec<(usize, String)>,
    /// What all that was asked took, with what the ledger holds.
    pub spent: Spent,
}

/// Asks about every pair that the ledger has no answer to. `observer` is called with the number of pairs that
/// were answered since its last call, and from time to time with 0, and may break.
///
/// Equal pairs are asked about once.
///
/// # Errors
/// [`JudgeError::Stopped`] if `observer` breaks; an error of the endpoint, except that an answer without a grade
/// is only counted. Answers that came before are in the ledger.
pub fn run(
    judging: Judging<'_>,
    settings: &Settings,
    pairs: &[Pair],
    ledger: &mut Ledger,
    mut observer: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Judged, JudgeError> {
    let mut judged = Judged::default();
    let (mut seen, mut todo) = (BTreeSet::new(), Vec::new());
    for (index, pair) in pairs.iter().enumerate() {
        let key = pair_key(pair);
        if ledger.get(&key).is_some() {
            judged.known += 1;
        } else if seen.insert(key.clone()) {
            todo.push((index, key));
        }
    }
    judged.method = ledger.method();
    judged.spent = ledger.spent();
    if todo.is_empty() || settings.budget.is_met(ledger.spent()) {
        judged.left = todo.len();
        return Ok(judged);
    }
    let questioner = Questioner {
        client: judging.client,
        pace: judging.pace,
        model: &settings.model,
        prompt: &settings.prompt,
        shots: &settings.shots,
        votes: settings.votes,
        seed: settings.seed,
    };
    let prompt = settings.prompt.hash(&settings.shots);
    let keep = |ledger: &mut Ledger, key: &str, method: Method, asked: Asked| {
        let Asked { raw, spent, outcome } = asked;
        let key = key.to_owned();
        match outcome {
            Ok(reply) => {
                let answer = Answer {
                    key,
                    prompt: prompt.clone(),
                    model: settings.model.clone(),
                    method,
                    probs: reply.probs,
                    label_mass: reply.label_mass,
                    spent,
                    raw,
                };
                ledger.add(answer)
            }
            // What was paid for is kept, also if it is worth nothing.
            Err(error) if raw.is_empty() => Err(error),
            Err(error) => {
                let problem = error.to_string();
                ledger.add_gradeless(&Gradeless { key, method, problem, spent, raw })?;
                Err(error)
            }
        }
    };
    let purse = Purse::new(settings.budget, ledger.spent(), ledger.largest());
    let method = if let Some(method) = settings.method.or(ledger.method()) {
        method
    } else {
        let (index, key) = &todo[0];
        let found = probe(&questioner, &pairs[*index], &purse, |method, asked| {
            keep(ledger, key, method, asked)
        })?;
        let Some(method) = found else {
            judged.left = todo.len();
            judged.spent = ledger.spent();
            return Ok(judged);
        };
        todo.remove(0);
        judged.asked += 1;
        let _ = observer(1); // asked again below
        method
    };
    judged.method = Some(method);

    let next = AtomicUsize::new(0);
    let mut outcome = Ok(());
    std::thread::scope(|scope| {
        // Without room for answers that wait to be recorded, asking does not run ahead of recording.
        let (sender, replies) = sync_channel(0);
        for _ in 0..settings.concurrency.clamp(1, todo.len().max(1)) {
            let sender = sender.clone();
            let (questioner, todo, next, purse) = (&questioner, &todo, &next, &purse);
            scope.spawn(move || {
                while next.load(Ordering::Relaxed) < todo.len() && purse.reserve() {
                    let row = todo.get(next.fetch_add(1, Ordering::Relaxed));
                    let Some((index, _)) = row else {
                        purse.settle(Spent::default());
                        return;
                    };
                    let asked = questioner.ask(method, &pairs[*index]);
                    purse.settle(asked.spent);
                    if asked.outcome.as_ref().is_err_and(|error| !error.is_of_row()) {
                        purse.close();
                    }
                    if sender.send((*index, asked)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let end = |outcome: &mut Result<(), JudgeError>, error: JudgeError| {
            // What is under way is stopped; the first error is the cause of the others.
            purse.close();
            judging.pace.stop();
            if outcome.is_ok() {
                *outcome = Err(error);
            }
        };
        loop {
            let answered = match replies.recv_timeout(PATIENCE) {
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => 0,
                Ok((index, asked)) => {
                    match keep(ledger, &pair_key(&pairs[index]), method, asked) {
                        Ok(()) => judged.asked += 1,
                        Err(error) if error.is_of_row() => {
                            judged.failed.push((index, error.to_string()));
                        }
                        Err(error) => end(&mut outcome, error),
                    }
                    1
                }
            };
            if observer(answered).is_break() {
                end(&mut outcome, JudgeError::Stopped);
            }
        }
    });
    outcome?;
    judged.failed.sort_unstable();
    judged.spent = ledger.spent();
    let open = todo.iter().filter(|(_, key)| ledger.get(key).is_none()).count();
    judged.left = open.saturating_sub(judged.failed.len());
    Ok(judged)
}

/// The best method that the server offers, whose answer about the pair was handed to `keep`, as were those of methods that
/// gave no grade. `None` if the budget ends before one is found.
fn probe(
    questioner: &Questioner<'_>,
    pair: &Pair,
    purse: &Purse,
    mut keep: impl FnMut(Method, Asked) -> Result<(), JudgeError>,
) -> Result<Option<Method>, JudgeError> {
    let mut tried = Vec::new();
    for method in Method::ALL {
        if !purse.reserve() {
            return Ok(None);
        }
        let asked = questioner.ask(method, pair);
        purse.settle(asked.spent);
        match keep(method, asked) {
            Ok(()) => return Ok(Some(method)),
            // No other way would help against these.
            Err(
                error @ (JudgeError::Unreachable { .. }
                | JudgeError::Stopped
                | JudgeError::File(_)
                | JudgeError::Unusable { .. }),
            ) => {
                return Err(error);
            }
            Err(error @ JudgeError::Refused { status: 0 | 401 | 403, .. }) => return Err(error),
            Err(error) => tried.push(format!("  {method}: {error}")),
        }
    }
    Err(JudgeError::NoMethod {
        url: questioner.client.base().to_owned(),
        model: questioner.model.to_owned(),
        tried: tried.join("\n"),
    })
}
