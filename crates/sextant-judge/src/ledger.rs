//! The answers of a judge, one line each, written as soon as they are there.

use crate::{JudgeError, Method, Spent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sextant_core::{Grade, Pair, Prediction};
use sextant_files::{append_line, hexadecimal};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// What identifies a pair in a ledger: the beginning of the SHA-256 of its JSON, in hexadecimal.
pub fn pair_key(pair: &Pair) -> String {
    let json = serde_json::to_vec(pair).unwrap_or_default();
    hexadecimal(&Sha256::digest(json)[..16])
}

/// A line of a ledger: what the judge answered about a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The pair's key, by [`pair_key`].
    pub key: String,
    /// The hash of the prompt with its examples.
    pub prompt: String,
    /// The model, as the endpoint calls it.
    pub model: String,
    /// How the probabilities were had.
    pub method: Method,
    /// The probabilities of the grades.
    pub probs: [f32; Grade::COUNT],
    /// The probability that the server gave to all labels together.
    pub label_mass: f64,
    /// The tokens that it took.
    pub spent: Spent,
    /// What the server sent.
    pub raw: Vec<Value>,
}

impl Answer {
    /// The answer as a prediction.
    pub fn prediction(&self) -> Prediction {
        Prediction::new(self.probs)
    }
}

/// A ledger that is open for more answers.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    answers: HashMap<String, Answer>,
    spent: Spent,
}

impl Ledger {
    /// Opens the ledger at a path; there is none yet, or one of the same judge. A last line that was cut off is
    /// passed over: the next answer takes its place.
    ///
    /// # Errors
    /// The file cannot be read, has a line that is no answer, or an answer of another judge.
    pub fn open(
        path: &Path,
        model: &str,
        prompt: &str,
        method: Option<Method>,
    ) -> Result<Self, JudgeError> {
        let mut ledger =
            Self { path: path.to_owned(), answers: HashMap::new(), spent: Spent::default() };
        let unusable = |problem: String| JudgeError::Unusable { path: path.to_owned(), problem };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ledger),
            Err(error) => return Err(unusable(format!("cannot read it: {error}"))),
        };
        let mut lines = BufReader::new(file);
        for number in 1.. {
            let mut line = Vec::new();
            let read = lines.read_until(b'\n', &mut line);
            read.map_err(|error| unusable(format!("cannot read line {number}: {error}")))?;
            if line.pop() != Some(b'\n') {
                break;
            }
            let answer: Answer = serde_json::from_slice(&line).map_err(|error| {
                unusable(format!("line {number}: {error}; remove the line, and it is asked again"))
            })?;
            let same = answer.model == model
                && answer.prompt == prompt
                && method.is_none_or(|method| method == answer.method);
            if !same {
                return Err(unusable(format!(
                    "line {number} is of another judge (model `{}`, method {}, prompt {}); name another folder",
                    answer.model,
                    answer.method,
                    answer.prompt.get(..12).unwrap_or(&answer.prompt)
                )));
            }
            ledger.spent += answer.spent;
            ledger.answers.insert(answer.key.clone(), answer);
        }
        Ok(ledger)
    }

    /// Adds an answer, which is on the disk when this returns.
    pub fn add(&mut self, answer: Answer) -> Result<(), JudgeError> {
        let line = serde_json::to_vec(&answer).map_err(|error| JudgeError::Unusable {
            path: self.path.clone(),
            problem: error.to_string(),
        })?;
        append_line(&self.path, &line)?;
        self.spent += answer.spent;
        self.answers.insert(answer.key.clone(), answer);
        Ok(())
    }

    /// The answer about a pair, if there is one.
    pub fn get(&self, key: &str) -> Option<&Answer> {
        self.answers.get(key)
    }

    /// The method of the answers, if there are any.
    pub fn method(&self) -> Option<Method> {
        self.answers.values().next().map(|answer| answer.method)
    }

    /// What all answers took.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// The number of answers.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether there is no answer.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::Task;

    fn answer(left: &str) -> Answer {
        let pair = Pair { task: Task::QueryType, left: left.into(), right: "Sofas".into() };
        Answer {
            key: pair_key(&pair),
            prompt: "p".repeat(64),
            model: "m".into(),
            method: Method::Logprobs,
            probs: [0.1, 0.2, 0.7],
            label_mass: 0.9,
            spent: Spent { input_tokens: 10, output_tokens: 1 },
            raw: vec![serde_json::json!({"id": 1})],
        }
    }

    #[test]
    fn answers_are_found_again_and_a_cut_line_is_asked_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("answers.jsonl");
        let prompt = "p".repeat(64);
        let open = || Ledger::open(&path, "m", &prompt, None);
        let mut ledger = open().unwrap();
        ledger.add(answer("a")).unwrap();
        ledger.add(answer("b")).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let mut ledger = open().unwrap();
        assert_eq!((ledger.len(), ledger.spent().tokens()), (1, 11));
        assert_eq!(ledger.get(&answer("a").key), Some(&answer("a")));
        ledger.add(answer("b")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn another_judge_may_not_write_into_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("answers.jsonl");
        let prompt = "p".repeat(64);
        Ledger::open(&path, "m", &prompt, None).unwrap().add(answer("a")).unwrap();
        for (model, prompt, method) in [
            ("n", prompt.as_str(), None),
            ("m", "q", None),
            ("m", prompt.as_str(), Some(Method::Votes)),
        ] {
            let error = Ledger::open(&path, model, prompt, method).unwrap_err().to_string();
            assert!(error.contains("line 1 is of another judge"), "{error}");
        }
        std::fs::write(&path, "{}\n").unwrap();
        let error = Ledger::open(&path, "m", &prompt, None).unwrap_err().to_string();
        assert!(error.contains("line 1: missing field"), "{error}");
    }
}
