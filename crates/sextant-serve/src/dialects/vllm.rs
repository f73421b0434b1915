//! vLLM's scores and classifications. Its rerank API is answered as Jina's, which it follows.

use super::document::Document;
use super::jina::Usage;
use super::pairs::{Sides, classify};
use super::{Routes, dialect, jina, post};
use crate::error::ApiError;
use crate::http::{Parsed, fresh_id};
use crate::native::{PairAnswer, RelevanceResponse, TaskName};
use crate::service::Service;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Under a prefix of its own, with the rerank API.
pub(super) fn routes() -> Routes {
    scores().merge(jina::routes())
}

/// Scores and classifications.
pub(super) fn scores() -> Routes {
    let scores = [post("/v1/score", score), post("/score", score)];
    dialect("vllm", scores.into_iter().chain([post("/classify", classification)]))
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Document>),
    One(Document),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<Document> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![one],
        }
    }
}

#[derive(Debug, Deserialize)]
struct ScoreRequest {
    model: Option<String>,
    task: Option<TaskName>,
    #[serde(alias = "data_1", alias = "queries")]
    text_1: OneOrMany,
    #[serde(alias = "data_2", alias = "documents", alias = "items")]
    text_2: OneOrMany,
}

#[derive(Debug, Deserialize)]
struct ClassifyRequest {
    model: Option<String>,
    task: Option<TaskName>,
    input: Sides,
}

#[derive(Debug, Serialize)]
struct Response<T> {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    data: Vec<T>,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct Scored {
    index: usize,
    object: &'static str,
    score: f32,
}

#[derive(Debug, Serialize)]
struct Class {
    index: usize,
    label: &'static str,
    probs: [f32; 3],
    num_classes: usize,
}

/// One text against each of several, or two lists pair by pair.
async fn score(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<ScoreRequest>,
) -> Result<Json<Response<Scored>>, ApiError> {
    let (left, right) = (request.text_1.into_vec(), request.text_2.into_vec());
    let pairs: Vec<_> = match (left.len(), right.len()) {
        (a, b) if a == b => left.into_iter().zip(right).collect(),
        (1, _) => right.into_iter().map(|right| (left[0].clone(), right)).collect(),
        (a, b) => {
            return Err(ApiError::invalid(format!(
                "`text_1` has {a} texts and `text_2` has {b}; give one and many, or equally many"
            )));
        }
    };
    let (answers, response) = classify(&service, request.model, request.task, pairs).await?;
    let scores = answers.into_iter().enumerate().map(|(index, answer)| Scored {
        index,
        object: "score",
        score: answer.score,
    });
    Ok(Json(envelope(scores.collect(), &response)))
}

async fn classification(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<ClassifyRequest>,
) -> Result<Json<Response<Class>>, ApiError> {
    let pairs = request.input.into_pairs("input")?;
    let (answers, response) = classify(&service, request.model, request.task, pairs).await?;
    let class = |(index, answer): (usize, PairAnswer)| Class {
        index,
        label: answer.label,
        probs: answer.probabilities.in_order(),
        num_classes: 3,
    };
    Ok(Json(envelope(answers.into_iter().enumerate().map(class).collect(), &response)))
}

fn envelope<T>(data: Vec<T>, response: &RelevanceResponse) -> Response<T> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Response {
        id: fresh_id(),
        object: "list",
        created: since_1970.as_secs(),
        model: response.model.clone(),
        data,
        usage: response.usage.into(),
    }
}
