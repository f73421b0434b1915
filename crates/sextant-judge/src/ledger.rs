//! The answers of a judge, one line each, written as soon as they are there.

use crate::{JudgeError, Method, Spent};
use serde::de::DeserializeOwned;
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

/// A line of the file beside a ledger: what the judge sent about a pair that holds no grade. It was paid for, and the pair
/// is asked about again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gradeless {
    /// The pair's key, by [`pair_key`].
    pub key: String,
    /// How probabilities were asked for.
    pub method: Method,
    /// Why there is no grade.
    pub problem: String,
    /// The tokens that it took.
    pub spent: Spent,
    /// What the server sent.
    pub raw: Vec<Value>,
}

/// Who judges: all answers of a ledger are of one judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judge<'a> {
    /// The model, as the endpoint calls it.
    pub model: &'a str,
    /// The hash of the prompt with its examples.
    pub prompt: &'a str,
    /// How probabilities are had; `None` for whatever the ledger's answers were had by.
    pub method: Option<Method>,
    /// The number of texts that [`Method::Votes`] samples for a pair.
    pub votes: usize,
}

impl Judge<'_> {
    fn has_given(&self, answer: &Answer) -> bool {
        answer.model == self.model
            && answer.prompt == self.prompt
            && self.method.is_none_or(|method| method == answer.method)
            && (answer.method != Method::Votes || answer.raw.len() == self.votes.max(1))
    }
}

/// A ledger that is open for more answers.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    answers: HashMap<String, Answer>,
    spent: Spent,
    /// The most that one pair took; `None` before the first.
    largest: Option<Spent>,
}

impl Ledger {
    /// Opens the ledger at a path; there is none yet, or one of the same judge. A last line that was cut off is
    /// passed over: the next answer takes its place.
    ///
    /// # Errors
    /// The file or the one beside it cannot be read, has a line that is no answer, or an answer of another judge.
    pub fn open(path: &Path, judge: Judge<'_>) -> Result<Self, JudgeError> {
        let mut ledger = Self {
            path: path.to_owned(),
            answers: HashMap::new(),
            spent: Spent::default(),
            largest: None,
        };
        for (number, answer) in lines::<Answer>(path)?.into_iter().enumerate() {
            if !judge.has_given(&answer) {
                let votes = if answer.method == Method::Votes {
                    format!(" with {} votes", answer.raw.len())
                } else {
                    String::new()
                };
                let problem = format!(
                    "line {} is of another judge (model `{}`, method {}{votes}, prompt {}); name another folder",
                    number + 1,
                    answer.model,
                    answer.method,
                    answer.prompt.get(..12).unwrap_or(&answer.prompt)
                );
                return Err(JudgeError::Unusable { path: path.to_owned(), problem });
            }
            ledger.pay(answer.spent);
            ledger.answers.insert(answer.key.clone(), answer);
        }
        for gradeless in lines::<Gradeless>(&gradeless_path(path))? {
            ledger.pay(gradeless.spent);
        }
        Ok(ledger)
    }

    fn pay(&mut self, spent: Spent) {
        self.spent += spent;
        self.largest = Some(self.largest.unwrap_or_default().most(spent));
    }

    /// Adds an answer, which is on the disk when this returns.
    pub fn add(&mut self, answer: Answer) -> Result<(), JudgeError> {
        append(&self.path, &answer)?;
        self.pay(answer.spent);
        self.answers.insert(answer.key.clone(), answer);
        Ok(())
    }

    /// Adds what holds no grade to the file beside the ledger.
    pub fn add_gradeless(&mut self, gradeless: &Gradeless) -> Result<(), JudgeError> {
        append(&gradeless_path(&self.path), gradeless)?;
        self.pay(gradeless.spent);
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

    /// The most that one pair took; `None` before the first.
    pub(crate) fn largest(&self) -> Option<Spent> {
        self.largest
    }

    /// What all that was sent took, with and without a grade.
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

/// The file beside a ledger: `answers.jsonl` has `answers-without-grade.jsonl`.
pub fn gradeless_path(ledger: &Path) -> PathBuf {
    let stem = ledger.file_stem().unwrap_or_default().to_string_lossy();
    ledger.with_file_name(format!("{stem}-without-grade.jsonl"))
}

/// The lines of a file; none if there is no file. A last line that was cut off is passed over.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, JudgeError> {
    let unusable = |problem: String| JudgeError::Unusable { path: path.to_owned(), problem };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(format!("cannot read it: {error}"))),
    };
    let (mut file, mut found) = (BufReader::new(file), Vec::new());
    for number in 1.. {
        let mut line = Vec::new();
        let read = file.read_until(b'\n', &mut line);
        read.map_err(|error| unusable(format!("cannot read line {number}: {error}")))?;
        if line.pop() != Some(b'\n') {
            break;
        }
        found.push(serde_json::from_slice(&line).map_err(|error| {
            unusable(format!("line {number}: {error}; remove the line, and it is asked again"))
        })?);
    }
    Ok(found)
}

fn append(path: &Path, line: &impl Serialize) -> Result<(), JudgeError> {
    let line = serde_json::to_vec(line).map_err(|error| JudgeError::Unusable {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    Ok(append_line(path, &line)?)
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
        let judge = Judge { model: "m", prompt: &prompt, method: None, votes: 1 };
        let open = || Ledger::open(&path, judge);
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
        let Answer { key, method, spent, raw, .. } = answer("c");
        let gradeless = Gradeless { key, method, problem: "none".into(), spent, raw };
        ledger.add_gradeless(&gradeless).unwrap();
        let ledger = open().unwrap();
        assert_eq!((ledger.len(), ledger.spent().tokens()), (2, 33), "it was paid for");
        assert!(place.path().join("answers-without-grade.jsonl").exists());
    }

    #[test]
    fn another_judge_may_not_write_into_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("answers.jsonl");
        let prompt = "p".repeat(64);
        let known = Judge { model: "m", prompt: &prompt, method: None, votes: 1 };
        Ledger::open(&path, known).unwrap().add(answer("a")).unwrap();
        for judge in [
            Judge { model: "n", ..known },
            Judge { prompt: "q", ..known },
            Judge { method: Some(Method::Votes), ..known },
        ] {
            let error = Ledger::open(&path, judge).unwrap_err().to_string();
            assert!(error.contains("line 1 is of another judge"), "{error}");
        }
        let voted = Answer { method: Method::Votes, ..answer("a") };
        let mut line = serde_json::to_vec(&voted).unwrap();
        line.push(b'\n');
        std::fs::write(&path, line).unwrap();
        Ledger::open(&path, known).unwrap();
        let error = Ledger::open(&path, Judge { votes: 3, ..known }).unwrap_err().to_string();
        assert!(error.contains("method votes with 1 votes"), "{error}");
        std::fs::write(&path, "{}\n").unwrap();
        let error = Ledger::open(&path, known).unwrap_err().to_string();
        assert!(error.contains("line 1: missing field"), "{error}");
    }
}
