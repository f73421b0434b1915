//! OpenAI's decisions API.

use super::decision::{check_levels, check_predicate, decide, refuse_kind};
use super::{Routes, dialect, post};
use crate::error::ApiError;
use crate::http::Parsed;
use crate::native::{PairAnswer, TaskName};
use crate::service::Service;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

pub(super) fn routes() -> Routes {
    dialect("openai_decisions", [post("/v1/decisions", decisions)])
}

#[derive(Debug, Deserialize)]
struct Request {
    model: Option<String>,
    task: Option<TaskName>,
    input: Value,
    questions: Vec<Question>,
}

#[derive(Debug, Deserialize)]
struct Question {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    #[serde(default)]
    instructions: Value,
    levels: Option<Vec<Level>>,
}

#[derive(Debug, Deserialize)]
struct Level {
    label: String,
    description: Option<String>,
}

impl Level {
    /// What the level is: its label, or the description of a number.
    fn meaning(&self) -> &str {
        let number = self.label.trim().parse::<f64>().is_ok();
        self.description.as_deref().filter(|_| number).unwrap_or(&self.label)
    }
}

#[derive(Debug, Serialize)]
struct Response {
    model: String,
    answers: Vec<Answer>,
    usage: Usage,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Answer {
    Score { name: Option<String>, score: f32, confidence: f32, probabilities: Vec<LevelAnswer> },
    Predicate { name: Option<String>, probability: f32 },
}

#[derive(Debug, Serialize)]
struct LevelAnswer {
    label: String,
    value: usize,
    probability: f32,
}

#[derive(Debug, Serialize)]
struct Usage {
    input_tokens: usize,
    input_tokens_details: InputDetails,
    output_tokens: usize,
    output_tokens_details: OutputDetails,
    total_tokens: usize,
}

#[derive(Debug, Serialize)]
struct InputDetails {
    cached_tokens: usize,
    cache_write_tokens: usize,
}

#[derive(Debug, Serialize)]
struct OutputDetails {
    reasoning_tokens: usize,
}

async fn decisions(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Response>, ApiError> {
    let Request { model, task, input, questions } = request;
    for (index, question) in questions.iter().enumerate() {
        check(index, question)?;
    }
    let (answer, response) = decide(&service, model, task, content(input)).await?;
    let tokens = response.usage.tokens;
    Ok(Json(Response {
        model: response.model,
        answers: questions.into_iter().map(|question| given(question, &answer)).collect(),
        usage: Usage {
            input_tokens: tokens,
            input_tokens_details: InputDetails { cached_tokens: 0, cache_write_tokens: 0 },
            output_tokens: 0,
            output_tokens_details: OutputDetails { reasoning_tokens: 0 },
            total_tokens: tokens,
        },
    }))
}

/// What a list of messages holds: the content of the one message of a user, in which a part may be JSON. Any
/// other input is itself.
fn content(input: Value) -> Value {
    let Value::Array(messages) = &input else { return input };
    let mut users = messages.iter().filter(|message| message["role"] == "user");
    let (Some(message), None) = (users.next(), users.next()) else { return input };
    match &message["content"] {
        Value::Array(parts) => match parts.as_slice() {
            [part] => {
                let json = part.get("json").or_else(|| part.get("data"));
                json.or_else(|| part.get("text")).unwrap_or(part).clone()
            }
            // Two parts are the two sides.
            several => {
                several.iter().map(|part| part.get("text").unwrap_or(part).clone()).collect()
            }
        },
        content => content.clone(),
    }
}

fn check(index: usize, question: &Question) -> Result<(), ApiError> {
    let place = format!("`questions[{index}]`");
    let Question { kind, name, instructions, levels } = question;
    let name = name.as_deref().unwrap_or_default();
    match kind.as_str() {
        "score" => {
            let levels = levels.as_deref().unwrap_or_default();
            let names: Vec<_> = levels.iter().map(Level::meaning).collect();
            check_levels(&place, name, instructions, &names)
        }
        "predicate" => check_predicate(&place, name, instructions),
        _ => Err(refuse_kind(&place)),
    }
}

/// The answer to a question that was checked.
fn given(question: Question, answer: &PairAnswer) -> Answer {
    let name = question.name;
    let probs = answer.probabilities.in_order();
    match question.levels {
        Some(levels) if question.kind == "score" => Answer::Score {
            name,
            score: 2.0 * answer.score,
            confidence: probs[answer.grade.index()],
            probabilities: levels
                .into_iter()
                .zip(probs)
                .enumerate()
                .map(|(value, (level, probability))| LevelAnswer {
                    label: level.label,
                    value,
                    probability,
                })
                .collect(),
        },
        _ => Answer::Predicate { name, probability: answer.probabilities.relevant },
    }
}
