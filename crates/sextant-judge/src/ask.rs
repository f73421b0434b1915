//! Asks a server about one pair, by one method.

use crate::grades::{is_after_sampling, is_probability, of_first_token, stated, text};
use crate::{Client, JudgeError, Method, Pace, Prompt, Shot, Spent};
use serde_json::{Value, json};
use sextant_core::{Grade, Pair};

/// The most alternatives of a token that OpenAI's servers state.
const ALTERNATIVES: usize = 20;
/// The least probability of all labels together at which an answer counts as one.
const LEAST_MASS: f64 = 1e-3;

/// Who is asked, and what.
pub(crate) struct Questioner<'a> {
    pub(crate) client: &'a Client,
    pub(crate) pace: &'a Pace,
    pub(crate) model: &'a str,
    pub(crate) prompt: &'a Prompt,
    pub(crate) shots: &'a [Shot],
    /// The number of texts that [`Method::Votes`] samples.
    pub(crate) votes: usize,
    pub(crate) seed: u64,
}

/// What came of asking about a pair.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What the server sent, as it sent it, whether or not it holds a grade.
    pub(crate) raw: Vec<Value>,
    /// The tokens that all of it took.
    pub(crate) spent: Spent,
    /// The answer. [`JudgeError::NoGrade`] if what was sent holds none, else an error of [`Client::post`].
    pub(crate) outcome: Result<Reply, JudgeError>,
}

/// What a server answered about a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reply {
    /// The probabilities of our grades.
    pub(crate) probs: [f32; Grade::COUNT],
    /// The probability that the server gave to all labels together; 1 where it could answer nothing else.
    pub(crate) label_mass: f64,
}

/// What a server has sent about a pair so far, and what it took.
#[derive(Default)]
struct Sent {
    raw: Vec<Value>,
    spent: Spent,
}

impl Questioner<'_> {
    fn labels(&self) -> Vec<&str> {
        self.prompt.levels.iter().map(|level| level.label.as_str()).collect()
    }

    /// Asks about a pair.
    pub(crate) fn ask(&self, method: Method, pair: &Pair) -> Asked {
        let mut sent = Sent::default();
        let levels = match method {
            Method::Decisions => self.decisions(pair, &mut sent),
            Method::SystemOne => self.system_one(pair, &mut sent),
            Method::Constrained => self.constrained(pair, &mut sent),
            Method::Logprobs => self.logprobs(pair, &mut sent),
            Method::Votes => self.votes(pair, &mut sent),
        };
        let Sent { raw, spent } = sent;
        let outcome = levels.and_then(|levels| {
            let label_mass: f64 = levels.iter().sum();
            let probs = self.prompt.to_grades(&levels).filter(|_| label_mass >= LEAST_MASS);
            let probs = probs.ok_or_else(|| {
                let shown = raw.first().and_then(text).unwrap_or_default();
                no_grade(&format!("the labels have {label_mass:.1e} of the probability"), shown)
            })?;
            Ok(Reply { probs, label_mass })
        });
        Asked { raw, spent, outcome }
    }

    fn post(&self, path: &str, body: &Value, sent: &mut Sent) -> Result<Value, JudgeError> {
        let answer = self.client.post(path, body, self.pace)?;
        let spent = usage(&answer).unwrap_or_else(|| estimated(body, &answer));
        self.pace.tokens(spent.tokens());
        sent.spent += spent;
        sent.raw.push(answer.clone());
        Ok(answer)
    }

    fn decisions(&self, pair: &Pair, sent: &mut Sent) -> Result<Vec<f64>, JudgeError> {
        let level =
            |level: &crate::Level| json!({ "label": level.label, "description": level.meaning });
        let levels: Vec<Value> = self.prompt.levels.iter().map(level).collect();
        let answer = self.post(
            "decisions",
            &json!({
                "model": self.model,
                "task": pair.task,
                "input": sides(pair),
                "questions": [{
                    "type": "score", "name": "relevance", "levels": levels,
                    "instructions": self.instructions(pair),
                }],
            }),
            sent,
        )?;
        let stated = answer.pointer("/answers/0/probabilities").and_then(Value::as_array);
        let of = |label: &&str| {
            let found = stated?.iter().find(|level| level["label"] == **label)?;
            found["probability"].as_f64()
        };
        self.stated_levels(&answer, of)
    }

    fn system_one(&self, pair: &Pair, sent: &mut Sent) -> Result<Vec<f64>, JudgeError> {
        let criteria: Vec<&str> =
            self.prompt.levels.iter().map(|level| level.meaning.as_str()).collect();
        let question = json!({
            "type": "score", "instructions": self.instructions(pair), "criteria": criteria,
        });
        let answer = self.post(
            "systemone",
            &json!({
                "model": self.model,
                "task": pair.task,
                "state": sides(pair),
                "questions": { "relevance": question },
            }),
            sent,
        )?;
        let stated = answer.pointer("/answers/relevance/probabilities");
        // The levels are counted from 0, whatever our labels are.
        let labels = self.labels();
        let of = |label: &&str| {
            let number = labels.iter().position(|known| known == label)?;
            stated?.get(number.to_string())?.as_f64()
        };
        self.stated_levels(&answer, of)
    }

    /// The probabilities that a decision API states of the levels.
    fn stated_levels(
        &self,
        answer: &Value,
        of: impl Fn(&&str) -> Option<f64>,
    ) -> Result<Vec<f64>, JudgeError> {
        let probability = |label: &&str| of(label).filter(|p| is_probability(*p));
        let levels: Option<Vec<f64>> = self.labels().iter().map(probability).collect();
        levels.ok_or_else(|| no_grade("not every level has a probability", &answer.to_string()))
    }

    fn instructions(&self, pair: &Pair) -> String {
        let of_task = self.prompt.instructions.get(&pair.task).map_or("", String::as_str);
        format!("{} {of_task}", self.prompt.system.trim())
    }

    fn constrained(&self, pair: &Pair, sent: &mut Sent) -> Result<Vec<f64>, JudgeError> {
        let labels = self.labels();
        let choices: Vec<String> = labels.iter().map(|label| format!("\"{label}\"")).collect();
        let mut body = self.chat(pair, 1, 1.0);
        body["grammar"] = format!("root ::= {}", choices.join(" | ")).into();
        body["post_sampling_probs"] = true.into();
        // Nothing but the grammar may cut the distribution.
        body["top_k"] = 0.into();
        body["top_p"] = 1.0.into();
        body["min_p"] = 0.0.into();
        body["logprobs"] = true.into();
        body["top_logprobs"] = labels.len().into();
        let answer = self.post("chat/completions", &body, sent)?;
        match of_first_token(&answer, &labels) {
            Some(levels) if is_after_sampling(&answer) => Ok(levels),
            _ => Err(no_grade(
                "it does not state probabilities after sampling",
                text(&answer).unwrap_or_default(),
            )),
        }
    }

    fn logprobs(&self, pair: &Pair, sent: &mut Sent) -> Result<Vec<f64>, JudgeError> {
        let mut body = self.chat(pair, 1, 0.0);
        body["logprobs"] = true.into();
        body["top_logprobs"] = ALTERNATIVES.into();
        let answer = self.post("chat/completions", &body, sent)?;
        let shown = text(&answer).unwrap_or_default();
        of_first_token(&answer, &self.labels())
            .ok_or_else(|| no_grade("it states no log probabilities, or impossible ones", shown))
    }

    fn votes(&self, pair: &Pair, sent: &mut Sent) -> Result<Vec<f64>, JudgeError> {
        let labels = self.labels();
        let mut levels = vec![0.0; labels.len()];
        for vote in 0..self.votes.max(1) {
            let mut body = self.chat(pair, 256, if self.votes > 1 { 1.0 } else { 0.0 });
            body["seed"] = (self.seed + vote as u64).into();
            let answer = self.post("chat/completions", &body, sent)?;
            if let Some(label) = text(&answer).and_then(|text| stated(text, &labels)) {
                levels[label] += 1.0 / self.votes.max(1) as f64;
            }
        }
        Ok(levels)
    }

    fn chat(&self, pair: &Pair, tokens: u32, temperature: f64) -> Value {
        json!({
            "model": self.model,
            "messages": self.prompt.messages(pair, self.shots),
            "max_tokens": tokens,
            "temperature": temperature,
            "seed": self.seed,
        })
    }
}

fn no_grade(why: &str, shown: &str) -> JudgeError {
    let shown: String = shown.chars().take(200).collect();
    JudgeError::NoGrade(format!("the answer holds no grade: {why}; it says `{shown}`"))
}

/// The two sides with the kinds of their entities as keys, if these differ.
fn sides(pair: &Pair) -> Value {
    let (left, right) = pair.task.kinds();
    if left == right {
        return json!({ "left": pair.left, "right": pair.right });
    }
    json!({ left.as_str(): pair.left, right.as_str(): pair.right })
}

/// The tokens that an answer says it took, by the keys of chat completions or of decision APIs; `None` if it does not say
/// both.
fn usage(answer: &Value) -> Option<Spent> {
    let usage = &answer["usage"];
    let number = |keys: [&str; 2]| {
        let stated = keys.iter().find_map(|key| usage[*key].as_u64())?;
        // No request has so many: a server that says so counts wrongly.
        (stated < 1 << 40).then_some(stated)
    };
    Some(Spent {
        input_tokens: number(["prompt_tokens", "input_tokens"])?,
        output_tokens: number(["completion_tokens", "output_tokens"])?,
    })
}

/// What a request and its answer take where the server does not say: a token for three bytes, which is more than most
/// texts have.
fn estimated(body: &Value, answer: &Value) -> Spent {
    let tokens = |bytes: usize| bytes.div_ceil(3) as u64;
    let written = text(answer).map_or_else(|| answer.to_string().len(), str::len);
    Spent { input_tokens: tokens(body.to_string().len()), output_tokens: tokens(written) }
}
