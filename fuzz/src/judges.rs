//! Readers of what a judge is asked and of what it answered.

use crate::{Scratch, is_read};
use sextant_core::{Pair, Task};
use sextant_judge::{Answer, Judge, Ledger, Prompt, pair_key};

/// A prompt, with which a pair is asked about.
pub(crate) fn prompt(_: &Scratch, bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let prompt = Prompt::parse(text, "prompt.toml");
    if let Ok(prompt) = &prompt {
        let pair = Pair { task: Task::QueryType, left: "{right}".into(), right: "{left}".into() };
        drop(prompt.messages(&pair, &[]));
    }
    is_read(prompt)
}

/// The answers of a judge.
pub(crate) fn answers(scratch: &Scratch, bytes: &[u8]) -> bool {
    let path = scratch.file("answers.jsonl", bytes);
    let judge = Judge { model: "m", prompt: "p", method: None, votes: 1 };
    let ledger = Ledger::open(&path, judge);
    if let Ok(ledger) = &ledger {
        let pair = Pair { task: Task::QueryType, left: "a".into(), right: "b".into() };
        drop(format!("{:?}", ledger.get(&pair_key(&pair)).map(Answer::prediction)));
    }
    is_read(ledger)
}
