//! TypeSafe's system-one API.

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
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn routes() -> Routes {
    dialect("typesafe_systemone", [post("/v1/systemone", system_one)])
}

#[derive(Debug, Deserialize)]
struct Request {
    model: Option<String>,
    task: Option<TaskName>,
    state: Value,
    questions: BTreeMap<String, Question>,
}

#[derive(Debug, Deserialize)]
struct Question {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    instructions: Value,
    #[serde(default)]
    criteria: Value,
}

#[derive(Debug, Serialize)]
struct Response {
    model: String,
    answers: BTreeMap<String, Answer>,
    usage: Usage,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Answer {
    Score {
        score: f32,
        confidence: f32,
        legend: BTreeMap<String, Value>,
        probabilities: BTreeMap<String, f32>,
    },
    Noul {
        noul: f32,
    },
}

#[derive(Debug, Serialize)]
struct Usage {
    input_tokens: usize,
    output_tokens: usize,
}

async fn system_one(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Response>, ApiError> {
    let Request { model, task, state, questions } = request;
    for (number, (name, question)) in questions.iter().enumerate() {
        check(number, name, question)?;
    }
    let (answer, response) = decide(&service, model, task, state).await?;
    let answers =
        questions.into_iter().map(|(name, question)| (name, given(question, &answer))).collect();
    let usage = Usage { input_tokens: response.usage.tokens, output_tokens: 0 };
    Ok(Json(Response { model: response.model, answers, usage }))
}

/// Questions have names of the caller's, which an error must not repeat: it counts them in the order of their
/// names.
fn check(number: usize, name: &str, question: &Question) -> Result<(), ApiError> {
    let place = format!("question {} (in the order of their names)", number + 1);
    let Question { kind, instructions, criteria } = question;
    match kind.as_str() {
        "score" => {
            let levels = criteria.as_array().map(Vec::as_slice).unwrap_or_default();
            // A level that is no text has no name that is known.
            let names: Vec<_> =
                levels.iter().map(|level| level.as_str().unwrap_or_default()).collect();
            check_levels(&place, name, instructions, &names)
        }
        // Criteria of a statement are a statement of their own.
        "noul" if criteria.is_null() => check_predicate(&place, name, instructions),
        "noul" => Err(ApiError::invalid(format!(
            "{place} has `criteria`, and the models of this server read none for a statement; leave them out"
        ))),
        _ => Err(refuse_kind(&place)),
    }
}

/// The answer to a question that was checked.
fn given(question: Question, answer: &PairAnswer) -> Answer {
    let probs = answer.probabilities.in_order();
    match question.criteria {
        Value::Array(levels) if question.kind == "score" => Answer::Score {
            score: 2.0 * answer.score,
            confidence: probs[answer.grade.index()],
            legend: (0..).map(|level: usize| level.to_string()).zip(levels).collect(),
            probabilities: (0..).map(|level: usize| level.to_string()).zip(probs).collect(),
        },
        _ => Answer::Noul { noul: answer.probabilities.relevant },
    }
}
